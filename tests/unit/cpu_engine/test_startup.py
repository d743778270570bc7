"""Start-up: settings, exit codes, the health probe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.cpu_engine.published_model import publish
from unit.cpu_engine.real_engine import GREEDY_CHAT, MODEL_ID, SOURCE, RunningEngine, running_engine

from cpu_engine.errors import StartupError
from cpu_engine.health import probe
from cpu_engine.settings import available_cpus, parse_arguments


def _run(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cpu_engine", *flags]
    env = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_no_manifest_is_one_clear_line_and_exit_code_1(tmp_path: Path) -> None:
    done = _run(tmp_path, "--model-id", "org/name")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith(
        "ERROR org/name/manifest.json: expected a complete model, found no manifest, run model-init first"
    )


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    publish(tmp_path / "m")
    done = _run(tmp_path, "--model-id", "m", "--json-output")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    entry = json.loads(line)
    assert entry["level"] == "ERROR"
    assert entry["message"].startswith("m/model.gguf: expected a GGUF language model, found ")


def test_llama_cpp_cannot_load_it(tmp_path: Path, models: Path) -> None:
    """A header in order and tensors cut off: only llama.cpp itself notices."""
    with (models / MODEL_ID / "model.gguf").open("rb") as source:
        publish(tmp_path / "m", source.read(8_000_000))
    done = _run(tmp_path, "--model-id", "m")
    assert done.returncode == 1
    assert "ERROR llama.cpp: expected it to load m/model.gguf, found that it ended with code 1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "x"], "argument --port: expected a whole number from 1 to 65535, found 'x', correct it"),
        (["--port", "70000"], "argument --port: expected a whole number from 1 to 65535, found '70000'"),
        (["--quantize", "bitsandbytes"], "unrecognized arguments: --quantize"),
    ],
)
def test_a_bad_flag_is_named_and_exits_with_2(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--model-id", "m", *flags])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_token_limits_and_their_defaults() -> None:
    limits = parse_arguments(["--model-id", "m"]).limits(context_length=2048)
    assert (limits.max_total_tokens, limits.max_input_tokens) == (2048, 2047)
    assert parse_arguments(["--model-id", "m"]).limits(context_length=32768).max_total_tokens == 4096


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--max-total-tokens", "4097"], "--max-total-tokens: expected at most 4096"),
        (
            ["--max-total-tokens", "100", "--max-input-tokens", "100"],
            "--max-input-tokens: expected less than",
        ),
    ],
)
def test_token_limits_that_cannot_be(flags: list[str], message: str) -> None:
    with pytest.raises(StartupError, match=message):
        parse_arguments(["--model-id", "m", *flags]).limits(context_length=4096)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("50000 100000", 1), ("max 100000", len(os.sched_getaffinity(0))), ("", len(os.sched_getaffinity(0)))],
)
def test_threads_follow_the_containers_quota(tmp_path: Path, text: str, expected: int) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert available_cpus(quota) == expected


def test_the_health_probe(engine: RunningEngine, free_port: int) -> None:
    assert probe(engine.port) == (True, "healthy: the engine answers")
    healthy, line = probe(free_port)
    assert not healthy
    assert "cannot be reached" in line
    assert "\n" not in line


def test_proxies_that_docker_puts_into_every_container_are_not_asked(
    models: Path, tmp_path: Path, free_port: int
) -> None:
    """Docker's client writes `proxies` of its configuration into every container; these lead nowhere."""
    names = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
    proxies = dict.fromkeys(names, f"http://127.0.0.1:{free_port}") | {"no_proxy": ""}
    proxies |= {name.upper(): value for name, value in proxies.items()}
    with running_engine(models, tmp_path / "log", environment=proxies) as engine:
        probed = subprocess.run(
            [sys.executable, "-m", "cpu_engine.health", str(engine.port)],
            env={**os.environ, "PYTHONPATH": SOURCE, **proxies},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        answer = engine.post("/v1/chat/completions", GREEDY_CHAT)
    assert (probed.returncode, probed.stdout) == (0, "healthy: the engine answers\n"), probed.stderr
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]
