"""A healthy host to start from (each test spoils one thing), and an appliance with an access directory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance_cli.config.appliance import Appliance, load
from appliance_cli.config.table import SETTINGS
from appliance_cli.door import access
from appliance_cli.door.access import AccessDir
from appliance_cli.host.facts import Docker, Gpu, Host, Nvidia, Project, System
from harness.cli_path import PYTHONPATH

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own appliance must not reach a test."""
    for name in (*SETTINGS, "APPLIANCE_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)
    # nothing is asked of a hub that a test does not bring
    monkeypatch.setenv("OFFLINE", "1")


@pytest.fixture
def appliance(tmp_path: Path) -> Appliance:
    return load(tmp_path, tmp_path / ".env")


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


@pytest.fixture
def folder(appliance: Appliance) -> AccessDir:
    """The appliance's access directory; not made yet."""
    return access.of(appliance)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The real command line on an appliance of its own, without a terminal and without a Docker engine."""
    env_file = tmp_path / "appliance.env"
    env_file.write_text(f"ACCESS_DIR={tmp_path / 'access'}\nHTTP_PORT=18080\n")
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": PYTHONPATH,
        "HOME": "/nonexistent",
    }
    env |= {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}

    def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "appliance_cli", "--env-file", str(env_file), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env={**env, **environment}, input=stdin, check=False
        )

    return run


@pytest.fixture
def cpu_host() -> Host:
    """Debian with Docker and Compose, no NVIDIA card."""
    return Host(
        System("Linux", "x86_64", "Debian 12", ("debian",), "bookworm", True, True, True, 24_000_000_000),
        Docker(True, True, None, "20.10.24+dfsg1", Path("/var/lib/docker"), 80_000_000_000, False, "2.40.3"),
        Nvidia(0, None, (), "nvidia-smi: not installed", False),
        Project("free", False, False),
    )


@pytest.fixture
def gpu_host(cpu_host: Host) -> Host:
    """The same with a working RTX 4090."""
    card = Gpu("0", "GPU-4a", "NVIDIA GeForce RTX 4090", 24564)
    docker = Docker(True, True, None, "27.5.1", Path("/var/lib/docker"), 80_000_000_000, True, "2.40.3")
    return Host(cpu_host.system, docker, Nvidia(1, "575.64", (card,), "", True), cpu_host.project)
