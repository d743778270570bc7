"""A healthy host to start from; each test spoils one thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.host import DockerEngine, Gpu, Host, Nvidia, Project, System
from appliance_cli.settings import Settings, load

KNOWN = ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "BIND_ADDRESS", "HTTP_PORT", "UI_REPLICAS", "GPU_DEVICE")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own settings must not reach a test."""
    for name in (*KNOWN, "PYTHON_BASE", "NGINX_BASE", "TGI_IMAGE", "DEBIAN_MIRROR", "APPLIANCE_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path, tmp_path / ".env")


@pytest.fixture
def cpu_host() -> Host:
    """Debian with Docker and Compose, no NVIDIA card."""
    return Host(
        System("Linux", "x86_64", "Debian 12", ("debian",), "bookworm", True, True, True, 24_000_000_000),
        DockerEngine(
            True, True, None, "20.10.24+dfsg1", Path("/var/lib/docker"), 80_000_000_000, False, "2.40.3"
        ),
        Nvidia(0, None, (), "nvidia-smi: not installed", False),
        Project("free", False, False),
    )


@pytest.fixture
def gpu_host(cpu_host: Host) -> Host:
    """The same with a working RTX 4090."""
    card = Gpu("0", "GPU-4a", "NVIDIA GeForce RTX 4090", 24564)
    engine = DockerEngine(True, True, None, "27.5.1", Path("/var/lib/docker"), 80_000_000_000, True, "2.40.3")
    return Host(cpu_host.system, engine, Nvidia(1, "575.64", (card,), "", True), cpu_host.project)
