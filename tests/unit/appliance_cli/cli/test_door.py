"""usage, scale, reload and down through the real command line, with a docker command that plays its part."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from harness.cli_path import PYTHONPATH

Cli = Callable[..., CompletedProcess[str]]
Docker = Callable[[str], dict[str, str]]


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    """A docker command that records how it was called and runs a script; gives the environment for it."""

    def play(script: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "docker"
        program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n{script}\n')
        program.chmod(0o755)
        return {"PATH": f"{folder}:/usr/bin:/bin"}

    return play


def test_usage_asks_the_running_nginx(cli: Cli, docker: Docker, tmp_path: Path) -> None:
    counted = {f"{datetime.now(UTC):%Y-%m-%d}|key:ci|requests": {"value": 12}}
    (tmp_path / "usage.json").write_text(json.dumps(counted))
    environment = docker(f"cat {tmp_path}/usage.json")
    shown = json.loads(cli("usage", "--json", "--days", "1", **environment).stdout)
    assert shown["accounts"] == {
        "key:ci": {"requests": 12, "prompt_tokens": 0, "generated_tokens": 0, "refused": 0}
    }
    assert shown["since"] == f"{datetime.now(UTC):%Y-%m-%d}"
    assert (tmp_path / "calls").read_text().endswith(" exec -T nginx cat /state/usage.json\n")
    assert cli("usage", **environment).stdout.splitlines()[1].split()[1:3] == ["key:ci", "12"]


def test_usage_before_the_first_count_is_nothing(cli: Cli, docker: Docker) -> None:
    environment = docker("echo 'cat: /state/usage.json: No such file or directory' >&2; exit 1")
    done = cli("usage", **environment)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing was used since" in done.stderr
    assert json.loads(cli("usage", "--json", **environment).stdout)["days"] == []


def test_usage_that_cannot_be_read_is_a_failed_step(cli: Cli, docker: Docker) -> None:
    done = cli("usage", **docker("echo 'permission denied' >&2; exit 1"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "found     permission denied" in done.stderr


def test_reload_has_nginx_take_over_what_passes(cli: Cli, docker: Docker, tmp_path: Path) -> None:
    done = cli("reload", **docker("echo 'syntax is ok' >&2"))
    assert done.returncode == 0
    assert "syntax is ok" in done.stderr
    assert (tmp_path / "calls").read_text().endswith(" exec -T nginx /etc/nginx/apply\n")


def test_reload_shows_nginxs_words_when_it_refuses(cli: Cli, docker: Docker) -> None:
    done = cli("reload", **docker("echo 'nginx: [emerg] unknown directive \"x\"' >&2; exit 1"))
    assert (done.returncode, done.stdout) == (4, "")
    assert '    nginx: [emerg] unknown directive "x"' in done.stderr
    assert "what ran goes on" in done.stderr


@pytest.mark.parametrize("arguments", [["ui=0"], ["ui=2", "ui=3"], ["tgi=2"]])
def test_a_wrong_number_of_replicas_changes_nothing(arguments: list[str], cli: Cli, tmp_path: Path) -> None:
    before = (tmp_path / "appliance.env").read_text()
    done = cli("scale", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "✗ The number of replicas cannot be used" in done.stderr
    assert (tmp_path / "appliance.env").read_text() == before


def test_without_an_engine_scaling_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    before = (tmp_path / "appliance.env").read_text()
    assert cli("scale", "ui=2").returncode == 4
    assert (tmp_path / "appliance.env").read_text() == before


def test_ctrl_c_ends_a_stop_that_drains_with_a_word_and_130(docker: Docker, tmp_path: Path) -> None:
    environment = docker('trap "exit 130" INT; echo draining; while :; do sleep 1; done')
    env_file = tmp_path / "appliance.env"
    env_file.write_text("HTTP_PORT=18080\n")
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "appliance_cli", "--env-file", str(env_file), "down", "--verbose"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={
            "HOME": "/nonexistent",
            "PYTHONPATH": PYTHONPATH,
            **environment,
        },
    )
    assert child.stderr is not None
    assert any("draining" in line for line in child.stderr)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate()
    assert (child.returncode, out) == (130, "")
    assert "Interrupted. Running it again goes on where this stopped." in err
    assert (tmp_path / "calls").read_text().endswith(" down --remove-orphans --timeout 45\n")
