"""The support bundle: secrets, prompts and answers planted wherever they could come from are not in it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from appliance_cli.config.appliance import load
from appliance_cli.doctor import bundle, redact
from appliance_cli.host.finding import Finding
from appliance_cli.measure import bench_report

KEY = "sk-qwen-AbCdEf0123456789"
HF_TOKEN = "hf_abcdefghijklmnopqrst"
UI_SECRET = "correct-horse-battery-staple"
PROXY_PASSWORD = "pr0xy-pa55"
PROMPT = "my landlord wants to evict me"
ANSWER = "Dear tenant, you have thirty days"
SECRETS = (KEY, HF_TOKEN, UI_SECRET, PROXY_PASSWORD, PROMPT, ANSWER)
# What services log, or would in an error; and this command's own logs.
LINES = (
    json.dumps({"level": "ERROR", "fields": {"message": f'prompt: "{PROMPT}"'}, "target": "router"}),
    json.dumps(
        {"level": "INFO", "fields": {"message": "Success", "inputs": PROMPT, "generated_text": ANSWER}}
    ),
    json.dumps({"time": "t", "account": "user:alice", "path": f"/search?q={PROMPT}", "status": 200}),
    json.dumps({"level": "INFO", "messages": [{"role": "user", "content": PROMPT}]}),
    f'Traceback: {{"inputs": "{PROMPT}", "parameters": {{}}',
    f"answer={ANSWER}",
    f"GET https://robot:{PROXY_PASSWORD}@proxy.example/ via Authorization: Bearer {KEY}",
    f"Cookie: session={UI_SECRET}",
    f"pip --index-url https://me:{PROXY_PASSWORD}@packages.example/simple token {HF_TOKEN}",
)


def test_nothing_that_was_planted_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "hf-token"
    token.write_text(f"{HF_TOKEN}\n")
    env_file = tmp_path / ".env"
    env_file.write_text(
        f"UI_SECRET={UI_SECRET}\nHF_TOKEN_FILE={token}\nHTTPS_PROXY=http://robot:{PROXY_PASSWORD}@10.0.0.1:3128\n"
        f"MAX_TOTAL_TOKENS=8192\nUNKNOWN_SECRET={KEY}\n"
    )
    (tmp_path / "docker-compose.yml").write_text('x-version: &version "1.0.0"\n')
    (tmp_path / ".appliance").mkdir()
    bench_report.path_of(load(tmp_path, env_file)).write_text('{"schema": 1}')
    (tmp_path / ".appliance" / "build.log").write_text("\n".join(LINES))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    target = tmp_path / "support.tar.gz"
    found = Finding(
        "fail", f"the proxy http://robot:{PROXY_PASSWORD}@10.0.0.1 does not answer", "x", "y", "proxy-deaf"
    )

    names = bundle.write(target, load(tmp_path, env_file), [found])

    with tarfile.open(target) as archive:
        content = {member.name: archive.extractfile(member).read().decode() for member in archive}  # type: ignore[union-attr]
    assert [name.removeprefix("appliance-support/") for name in content] == names
    for secret in SECRETS:
        assert [name for name, text in content.items() if secret in text] == [], secret
    assert "MAX_TOTAL_TOKENS=8192" in content["appliance-support/settings.env"]
    assert "UI_SECRET=(set, not shown)" in content["appliance-support/settings.env"]
    assert "10.0.0.1 does not answer" in content["appliance-support/doctor.txt"]
    assert "appliance 1.0.0" in content["appliance-support/versions.txt"]
    assert content["appliance-support/benchmark/qwen-appliance.bench.json"] == '{"schema": 1}'
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_there_becomes_its_owner_s_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (tmp_path / "docker-compose.yml").write_text('x-version: &version "1.0.0"\n')
    target = tmp_path / "support.tar.gz"
    target.write_bytes(b"")
    target.chmod(0o644)
    bundle.write(target, load(tmp_path, tmp_path / ".env"), [])
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["secrets/hf-token", "/proc/self/mem"])
def test_a_token_s_file_is_read_from_the_appliance_s_folder_if_it_can_be(name: str, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/hf-token").write_text("plain-token\n")
    env_file = tmp_path / ".env"
    env_file.write_text(f"HF_TOKEN_FILE={name}\n")
    assert bundle.secrets_of(load(tmp_path, env_file)) == (["plain-token"] if name.startswith("s") else [])


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (
            f'2026/11/27 10:00:00 [error] 7#7: open() "/x" failed, client: 10.0.0.1, request: "GET '
            f'/chat?q={PROMPT} HTTP/1.1", host: "x", referrer: "http://x/?q={PROMPT}"',
            '2026/11/27 10:00:00 [error] 7#7: open() "/x" failed, client: 10.0.0.1, request: "GET /chat?…"',
        ),
        (
            f'… request: "GET /chat HTTP/1.1", host: "x", referrer: "http://x/?q=a" b, host: "{PROMPT}"',
            '… request: "GET /chat HTTP/1.1", host: "x", referrer: "http://x/?…"',
        ),
        ('… request: "GET /chat HTTP/1.1", host: "x"', '… request: "GET /chat HTTP/1.1", host: "x"'),
    ],
)
def test_nginx_s_own_lines_lose_their_queries(line: str, kept: str) -> None:
    assert redact.log([line], service="nginx") == [kept]


@pytest.mark.parametrize("service", ["ui", "openai-api"])
def test_plain_lines_of_services_that_hear_people_are_not_shown(service: str) -> None:
    lines = [
        PROMPT,
        f"2026-11-27 10:00:00,123 ERROR chat_ui.app: {PROMPT}",
        f"2026-11-27T10:00:00.123+00:00 WARNING {PROMPT}",
        "ValueError",
        "  /app/chat_ui/app.py:12 in ask",
        f"ValueError: {PROMPT}",
        f'{PROMPT} {{"message": "ended", "level": "ERROR"}}',
    ]
    assert redact.log(lines, service=service) == [
        "2026-11-27 10:00:00,123 ERROR chat_ui.app: …",
        "2026-11-27T10:00:00.123+00:00 WARNING …",
        "ValueError",
        "  /app/chat_ui/app.py:12 in ask",
        '{"message": "ended", "level": "ERROR"}',
    ]


def test_a_log_keeps_what_the_services_did() -> None:
    lines = redact.log(LINES)
    for secret in (PROMPT, ANSWER, KEY, HF_TOKEN, PROXY_PASSWORD):
        assert [line for line in lines if secret in line] == []
    assert '"status": 200' in lines[2] and '"path": "/search"' in lines[2]
    assert '"message": "Success"' in lines[1]
    useful = '{"level":"ERROR","fields":{"message":"Not enough memory to handle 4096 prefill tokens."}}'
    assert json.loads(redact.log([useful])[0]) == json.loads(useful)
    assert redact.log(["Error: ShardCannotStart"]) == ["Error: ShardCannotStart"]
