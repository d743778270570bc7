"""The exact commands, and the reading of apt's sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from appliance_cli.base.output import Output
from appliance_cli.compose import commands as compose
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.config.door import Owner, Tls
from appliance_cli.door import keys, users
from appliance_cli.door.access import AccessDir
from appliance_cli.door.accounts import Limits
from appliance_cli.host import base_images, install
from appliance_cli.stack import prepare
from appliance_cli.stack.lifecycle import announce, build_step, curl_line

PYTHON, NGINX = base_images.RECIPES


@pytest.fixture
def appliance(tmp_path: Path) -> Appliance:
    return Appliance(
        root=Path("/srv/appliance"),
        env_file=Path("/etc/appliance.env"),
        project="chat",
        engine="cpu",
        bind_address="127.0.0.1",
        port=8080,
        replicas=3,
        engines=1,
        gpu_device="0",
        python_base="python",
        nginx_base="nginx",
        tgi_image="tgi",
        debian_mirror=None,
        toolkit_repository="https://toolkit.example.org",
        access_dir=tmp_path / "access",
        owner=Owner(10001, 10001),
        tls=Tls("off", None, None, ()),
        sso_url=None,
    )


def test_compose_commands_name_the_folder_and_the_settings_file(appliance: Appliance, tmp_path: Path) -> None:
    env_file = tmp_path / "appliance.env"
    env_file.touch()
    appliance = replace(appliance, env_file=env_file)
    prefix = ["docker", "compose", "--project-directory", "/srv/appliance", "--env-file", str(env_file)]
    plain = [*prefix, "--progress", "plain"]
    assert compose.build(appliance) == [*plain, "build"]
    assert compose.up(appliance) == [*plain, "up", "--detach", "--no-build", "--remove-orphans"]
    assert compose.pull_engine(appliance) == [
        *plain,
        "pull",
        "--policy",
        "missing",
        "--ignore-buildable",
        "tgi",
    ]
    down = [*prefix, "--profile", "*", "--progress", "plain", "down", "--remove-orphans", "--timeout", "45"]
    assert compose.down(appliance, volumes=False) == down
    assert compose.down(appliance, volumes=True) == [*down, "--volumes"]
    assert compose.services(appliance) == [*prefix, "config", "--services"]
    assert compose.logs(appliance, service="ui", follow=True, tail="50") == [
        *prefix, "logs", "--tail", "50", "--follow", "ui",
    ]  # fmt: skip


def test_scaling_touches_nothing_but_the_service(appliance: Appliance) -> None:
    assert compose.scale(appliance, {"ui": 5}) == [
        *compose.base(appliance), "--progress", "plain", "up", "--detach", "--no-deps", "--no-recreate",
        "--no-build", "--scale", "ui=5", "ui",
    ]  # fmt: skip


def test_nginxs_files_are_read_inside_it_or_in_a_container_of_its_own(appliance: Appliance) -> None:
    prefix = compose.base(appliance)
    assert compose.in_nginx(appliance, "cat", "/x") == [*prefix, "exec", "-T", "nginx", "cat", "/x"]
    assert compose.once_in_nginx(appliance, "cat", "/x") == [
        *prefix, "--progress", "quiet", "run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "nginx",
        "/x",
    ]  # fmt: skip


def test_without_a_settings_file_compose_uses_its_defaults(appliance: Appliance) -> None:
    assert compose.base(appliance) == ["docker", "compose", "--project-directory", "/srv/appliance"]


def test_apt_never_asks_and_waits_for_another_apt() -> None:
    update, add = install.apt_commands(["docker.io", "iptables"])
    assert update[-1] == "update"
    assert add[-5:] == ["install", "--yes", "--no-install-recommends", "docker.io", "iptables"]
    assert "DPkg::Lock::Timeout=300" in add


def test_debootstrap_with_a_script_of_its_own_and_a_mirror() -> None:
    command = base_images.debootstrap(PYTHON, Path("/r"), "http://mirror.example/debian", has_script=True)
    assert command == [
        "debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates",
        "trixie", "/r", "http://mirror.example/debian",
    ]  # fmt: skip


def test_debootstrap_of_a_release_newer_than_itself_uses_sids_script() -> None:
    command = base_images.debootstrap(NGINX, Path("/r"), "http://mirror.example/debian", has_script=False)
    assert command[-4:] == [
        "forky",
        "/r",
        "http://mirror.example/debian",
        "/usr/share/debootstrap/scripts/sid",
    ]


def test_debootstrap_without_a_mirror_uses_its_own_default() -> None:
    assert base_images.debootstrap(PYTHON, Path("/r"), None, has_script=True)[-2:] == ["trixie", "/r"]


def test_the_tree_is_piped_into_docker_without_apts_caches() -> None:
    tar, load = base_images.import_commands(Path("/r"), NGINX)
    assert tar[:3] == ["tar", "--create", "--one-file-system"]
    assert "--exclude=./var/lib/apt/lists/*" in tar
    assert tar[-3:] == ["--directory", "/r", "."]
    assert load[:3] == ["docker", "import", "--change"]
    assert load[-2:] == ["-", NGINX.made]


ONE_LINE = """# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://other.example/apt stable main
deb http://mirror.example/debian/ bookworm main contrib
deb http://mirror.example/debian-security bookworm-security main
"""
DEB822 = """Types: deb deb-src
URIs: http://security.example/debian-security
Suites: bookworm-security

Types: deb
URIs: https://first.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
"""


@pytest.mark.parametrize(
    ("texts", "mirror"),
    [
        ([ONE_LINE], "http://mirror.example/debian"),
        ([DEB822], "https://first.example/debian"),
        (["", DEB822, ONE_LINE], "https://first.example/debian"),
        (["deb http://ubuntu.example/ubuntu noble main"], None),
        (["deb cdrom:[Debian]/debian bookworm main"], None),
        ([], None),
    ],
)
def test_the_mirror_is_read_from_either_format_of_apts_sources(texts: list[str], mirror: str | None) -> None:
    assert base_images.parse_mirror(texts) == mirror


@pytest.mark.parametrize(
    ("line", "short"),
    [
        (
            "#12 [ui build 4/6] RUN if [ -s x ]; then y; fi;     /venv/bin/pip install",
            "ui 4/6 /venv/bin/pip install",
        ),
        ("#5 [model-init 2/3] COPY a b", "model-init 2/3 COPY a b"),
        ("#2 [a internal] load .dockerignore", ""),
        ("#5 1.174 Python 3.13.5", ""),
    ],
)
def test_build_output_is_condensed_to_steps(line: str, short: str) -> None:
    assert build_step(line) == short


def test_the_curl_line_can_be_pasted_into_a_shell() -> None:
    import json
    import shlex

    words = shlex.split(curl_line("http://127.0.0.1:8080", "Qwen/Qwen2.5-7B-Instruct"))
    assert words[:2] == ["curl", "http://127.0.0.1:8080/v1/chat/completions"]
    assert words[2:4] == ["-H", "Content-Type: application/json"]
    assert json.loads(words[-1])["model"] == "Qwen/Qwen2.5-7B-Instruct"


def test_the_curl_line_shows_how_a_key_and_a_self_signed_certificate_are_used() -> None:
    line = curl_line("https://box:8080", "a/b", key=True, insecure=True)
    start = 'curl --insecure -H "Authorization: Bearer $API_KEY" https://box:8080/v1/chat/completions '
    assert line.startswith(start)


def test_the_end_of_up_shows_how_to_close_an_open_door(
    appliance: Appliance, folder: AccessDir, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(appliance, {"engine": {"model_id": "a/b"}}, Output())
    told = capsys.readouterr()
    chat, api = told.out.splitlines()
    assert chat == "Chat:  http://127.0.0.1:8080/"
    assert api.startswith("API:   curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type")
    assert "./scripts/appliance keys add NAME" in told.err
    assert "./scripts/appliance users add NAME" in told.err
    keys.add(folder, "ci", Limits(), None, now)
    users.add(folder, "alice", "$2b$10$" + "a" * 53, Limits(), now)
    announce(replace(appliance, engines=2), {}, Output())
    told = capsys.readouterr()
    assert "tgi answers from 2 engines" in told.err
    assert 'curl -H "Authorization: Bearer $API_KEY" http://127.0.0.1:8080/v1' in told.out
    assert "add NAME" not in told.err


@pytest.mark.parametrize("former", NGINX.former)
def test_a_base_image_of_an_earlier_version_gives_way_to_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, former: str
) -> None:
    monkeypatch.setattr(prepare, "docker_client", lambda timeout: object())
    monkeypatch.setattr(prepare, "has_image", lambda client, name: True)
    wanted = load(tmp_path, tmp_path / ".env", {"NGINX_BASE": former})
    assert prepare._base_images(wanted, False, Output()) == {"NGINX_BASE": NGINX.made}
