"""What surrounds Docker: recorded files and versions, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from appliance_cli.config.appliance import Appliance, load
from appliance_cli.doctor.troubles import TROUBLES
from appliance_cli.host import checks
from appliance_cli.host.facts import Host
from appliance_cli.host.surrounding_checks import examine
from appliance_cli.host.surroundings import Surroundings, client_proxies, is_wsl, ufw_is_on

PROXY = {"proxies": {"default": {"httpsProxy": "http://me:pw@127.0.0.1:7890", "noProxy": "localhost"}}}


def wrong(around: Surroundings, docker: str, appliance: Appliance) -> list[str]:
    found = examine(around, docker, appliance, "gpu")
    assert {finding.check for finding in found} <= set(TROUBLES)
    return [finding.check for finding in found if finding.level != "ok"]


def test_files_are_read_as_their_owners_write_them() -> None:
    assert is_wsl("5.15.167.4-microsoft-standard-WSL2\n")
    assert not is_wsl("6.1.0-28-amd64\n")
    assert ufw_is_on("# set to yes\nENABLED=yes\nLOGLEVEL=low\n")
    assert not ufw_is_on("ENABLED=no\n")
    assert client_proxies(json.dumps(PROXY)) == (("httpsProxy", "http://me:pw@127.0.0.1:7890"),)
    assert client_proxies("") == client_proxies("{}") == client_proxies('{"proxies": 3}') == ()


def test_wsl_is_said_where_a_card_is_wanted(appliance: Appliance) -> None:
    assert wrong(Surroundings(wsl=True), "27.5.1", appliance) == ["wsl"]
    assert examine(Surroundings(wsl=True), "27.5.1", appliance, "cpu")[0].level == "ok"


@pytest.mark.parametrize(
    ("docker", "firewall", "runc", "holes"),
    [
        ("28.2.2", "firewalld", "", ["CVE-2025-54388"]),
        ("28.2.2", "", "", []),
        ("28.3.3", "firewalld", "", []),
        ("27.5.1", "firewalld", "", ["CVE-2025-54410"]),
        ("25.0.13", "firewalld", "", []),
        ("27.5.1", "", "1.1.11", ["CVE-2024-21626", "CVE-2025-31133"]),
        ("27.5.1", "", "1.2.5", ["CVE-2025-31133"]),
        ("28.5.2", "", "1.3.3", []),
        ("20.10.24+dfsg1", "firewalld", "1.1.5+ds1", []),  # repaired by Debian under the same number
    ],
)
def test_versions_with_known_holes(
    docker: str, firewall: str, runc: str, holes: list[str], appliance: Appliance
) -> None:
    found = examine(Surroundings(firewall=firewall, runc=runc), docker, appliance, "gpu")
    named = [finding for finding in found if finding.level != "ok"]
    assert len(named) == len(holes)
    assert all(hole in finding.found for hole, finding in zip(holes, named, strict=True))


def test_a_client_proxy_on_loopback_is_said_without_its_password(appliance: Appliance) -> None:
    around = Surroundings(proxies=client_proxies(json.dumps(PROXY)))
    (finding,) = examine(around, "27.5.1", appliance, "gpu")
    assert (finding.level, finding.check) == ("warn", "docker-client-proxies")
    assert "127.0.0.1:7890" in finding.found
    assert "pw" not in finding.found
    assert wrong(Surroundings(proxies=(("httpProxy", "http://10.0.0.1:3128"),)), "27.5.1", appliance) == []


def test_a_firewall_matters_where_others_reach_the_port(appliance: Appliance, tmp_path: Path) -> None:
    ufw = Surroundings(firewall="ufw")
    assert wrong(ufw, "27.5.1", appliance) == []
    open_door = load(tmp_path, tmp_path / ".env", {"BIND_ADDRESS": "0.0.0.0"})
    (finding,) = examine(ufw, "27.5.1", open_door, "gpu")
    assert (finding.level, finding.check) == ("warn", "firewall")
    assert "DOCKER-USER" in finding.remedy


@pytest.mark.parametrize(
    ("family", "codename", "says"),
    [
        ("debian", "bookworm", "535, too old"),
        ("debian", "trixie", "550, just enough"),
        ("ubuntu", "jammy", "nvidia-driver-570"),
        ("ubuntu", "noble", "nvidia-driver-570"),
        ("fedora", "", "driver-installation-guide"),
    ],
)
def test_an_old_driver_is_told_with_this_systems_commands(
    family: str, codename: str, says: str, gpu_host: Host, appliance: Appliance
) -> None:
    host = replace(
        gpu_host,
        system=replace(gpu_host.system, family=(family,), codename=codename),
        nvidia=replace(gpu_host.nvidia, driver="535.183.01"),
    )
    model = checks.Model("a/b", 1)
    (finding,) = [
        f for f in checks.examine(host, "gpu", appliance, model, starting=False) if f.level == "fail"
    ]
    assert finding.check == "driver-old"
    assert says in finding.remedy


def test_every_finding_of_a_host_has_its_row(gpu_host: Host, cpu_host: Host, appliance: Appliance) -> None:
    model = checks.Model("a/b", 1)
    for host, engine in ((gpu_host, "gpu"), (cpu_host, "cpu"), (cpu_host, "gpu")):
        found = checks.examine(host, engine, appliance, model, starting=True)  # type: ignore[arg-type]
        assert {finding.check for finding in found} <= set(TROUBLES)
