"""What surrounds Docker on this host and often stands in its way, gathered without changing anything.

Judges nothing: surrounding_checks.py does.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import DockerClient

from appliance_cli.base.process import ask
from appliance_cli.compose.client import FAILURES

KERNEL_RELEASE = Path("/proc/sys/kernel/osrelease")
UFW_SETTINGS = Path("/etc/ufw/ufw.conf")
_PROXY_KEYS = ("httpProxy", "httpsProxy", "allProxy")


@dataclass(frozen=True)
class Surroundings:
    """``firewall``: ufw or firewalld when active. ``proxies``: those of Docker's client, by their key.

    ``runc``: its version as Docker knows it. ``cdi``: NVIDIA devices by CDI, as Docker lists them.
    """

    wsl: bool = False
    desktop: bool = False
    firewall: str = ""
    proxies: tuple[tuple[str, str], ...] = ()
    runc: str = ""
    cdi: tuple[str, ...] = ()


def look(client: DockerClient | None, info: Mapping[str, Any]) -> Surroundings:
    """Everything of it. ``info`` is Docker's own."""
    return Surroundings(
        wsl=is_wsl(_text(KERNEL_RELEASE)),
        desktop=info.get("OperatingSystem") == "Docker Desktop",
        firewall=_firewall(),
        proxies=client_proxies(_text(_client_config())),
        runc=_runc(client),
        cdi=tuple(str(each.get("ID")) for each in info.get("DiscoveredDevices") or []),
    )


def is_wsl(kernel_release: str) -> bool:
    """Whether the kernel is the one that Microsoft builds for WSL 2."""
    return "microsoft" in kernel_release.lower()


def client_proxies(config: str) -> tuple[tuple[str, str], ...]:
    """The proxies that Docker's client puts into every container and build, of its config.json."""
    try:
        entries = json.loads(config)["proxies"].values()
        return tuple((key, str(entry[key])) for entry in entries for key in _PROXY_KEYS if entry.get(key))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def ufw_is_on(settings: str) -> bool:
    """Whether ufw.conf says that ufw is enabled."""
    lines = (line.split("#")[0].strip().lower() for line in settings.splitlines())
    return "enabled=yes" in lines


def _firewall() -> str:
    if ufw_is_on(_text(UFW_SETTINGS)):
        return "ufw"
    running = ask(["systemctl", "is-active", "firewalld"]).out.strip() == "active"
    return "firewalld" if running else ""


def _client_config() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _runc(client: DockerClient | None) -> str:
    if client is None:
        return ""
    try:
        parts = client.version().get("Components") or []
    except FAILURES:
        return ""
    return next((str(part["Version"]) for part in parts if part.get("Name") == "runc"), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
