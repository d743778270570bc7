"""Judges what surrounds Docker: WSL, firewalls, its client's proxies, versions with known holes. Pure."""

import re
from dataclasses import dataclass

from appliance_cli.config.appliance import Appliance, Engine
from appliance_cli.host.finding import Finding, version_tuple
from appliance_cli.host.surroundings import Surroundings

_LOOPBACK = re.compile(r"(?:^|//|@)(?:127\.|localhost|\[?::1)")


@dataclass(frozen=True)
class Hole:
    """A known fault of Docker or runc. It is there in a version below every ``fixed`` of the same line.

    ``needs``: a firewall with which alone it matters. ``since``: the first version that has it.
    """

    name: str
    what: str
    fixed: tuple[tuple[int, ...], ...]
    since: tuple[int, ...] = ()
    needs: str = ""

    def is_in(self, version: tuple[int, ...]) -> bool:
        """Whether this version has it; a line that never got a repair counts as older than all that did."""
        if not version or version < self.since:
            return False
        same_line = [fix for fix in self.fixed if fix[: len(fix) - 1] == version[: len(fix) - 1]]
        return version < (same_line[0] if same_line else max(self.fixed))


DOCKER_HOLES = (
    Hole(
        "CVE-2025-54388",
        "after a reload of firewalld, neighbours reach ports that are published on loopback",
        ((28, 3, 3),),
        since=(28, 2, 0),
        needs="firewalld",
    ),
    Hole(
        "CVE-2025-54410",
        "a reload of firewalld ends the isolation of Docker's networks from one another",
        ((25, 0, 13), (28, 0, 0)),
        needs="firewalld",
    ),
)
# Neighbours reach loopback ports (moby#45610, before 28.0.0), names leave internal networks (CVE-2024-29018,
# before 25.0.5): the appliance closes both itself, whatever the version (docs/security.md).
CLOSED_HERE = "moby#45610 and CVE-2024-29018 are closed by the appliance itself"
RUNC_HOLES = (
    Hole("CVE-2024-21626", "a container's process can reach the host's files", ((1, 1, 12),)),
    Hole(
        "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
        "a hostile image can write to the host",
        ((1, 2, 8), (1, 3, 3)),
    ),
)


def examine(around: Surroundings, docker: str, appliance: Appliance, engine: Engine) -> list[Finding]:
    """Every finding that is not as it should be, and one line for what is. ``docker``: its version."""
    found = [
        *_wsl(around, engine),
        *_holes(around, docker),
        *_proxies(around),
        *_firewall(around, appliance),
    ]
    return found or [Finding("ok", "nothing known stands in Docker's way", check="docker-holes")]


def _wsl(around: Surroundings, engine: Engine) -> list[Finding]:
    if not around.wsl or engine != "gpu":
        return []
    return [
        Finding(
            "warn",
            "WSL 2: Windows owns the card, the memory and the network",
            "NVIDIA's driver in Windows, none inside; 24 GB or more of memory for WSL",
            "in Windows: NVIDIA's driver 570 or newer; in %UserProfile%\\.wslconfig below [wsl2]: "
            "memory=24GB, "
            "networkingMode=mirrored; then wsl --shutdown. Inside, never install a driver, only the toolkit",
            "wsl",
        )
    ]


def _holes(around: Surroundings, docker: str) -> list[Finding]:
    # why: a distribution repairs the version that it has, and does not change its number for that
    found = [] if _patched_by_distribution(docker) else _in(DOCKER_HOLES, docker, around)
    if not _patched_by_distribution(around.runc):
        found += _in(RUNC_HOLES, around.runc, around)
    names = {"docker": docker, "runc": around.runc}
    return [
        Finding(
            "warn",
            f"{part} {names[part]} has {hole.name}: {hole.what}",
            f"{part} {' or '.join('.'.join(map(str, fix)) for fix in hole.fixed)}, or newer",
            "sudo apt-get update && sudo apt-get install --only-upgrade docker-ce containerd.io "
            f"(Debian's own: docker.io runc); {CLOSED_HERE}",
            "docker-holes",
        )
        for part, hole in found
    ]


def _in(holes: tuple[Hole, ...], version: str, around: Surroundings) -> list[tuple[str, Hole]]:
    part = "docker" if holes is DOCKER_HOLES else "runc"
    return [
        (part, hole)
        for hole in holes
        if hole.needs in ("", around.firewall) and hole.is_in(version_tuple(version))
    ]


def _patched_by_distribution(version: str) -> bool:
    return any(mark in version for mark in ("+dfsg", "+ds", "~ds", "ubuntu", "-0u"))


def _proxies(around: Surroundings) -> list[Finding]:
    deaf = [f"{key}={proxy}" for key, proxy in around.proxies if _LOOPBACK.search(proxy)]
    if not deaf:
        return []
    return [
        Finding(
            "warn",
            f"Docker's client gives every container and build {', '.join(hidden(each) for each in deaf)}",
            "an address that a container reaches: there, 127.0.0.1 is the container itself",
            "in ~/.docker/config.json write http://host.docker.internal:PORT or this host's own address, and "
            "let the proxy listen for other machines; or remove the entry",
            "docker-client-proxies",
        )
    ]


def hidden(proxy: str) -> str:
    """A proxy's address without the name and password in it."""
    return re.sub(r"//[^/@]*@", "//…@", proxy)


def _firewall(around: Surroundings, appliance: Appliance) -> list[Finding]:
    if not around.firewall or appliance.loopback:
        return []
    port = appliance.port
    return [
        Finding(
            "warn",
            f"{around.firewall} is on, and port {port} on {appliance.bind_address} is open all the same",
            "to know it: Docker's published ports pass by a firewall's own rules",
            "bind it to one address (BIND_ADDRESS), or say who may come where Docker looks: "
            f"sudo iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport {port} ! -s 192.168.1.0/24 "
            "-j DROP",
            "firewall",
        )
    ]
