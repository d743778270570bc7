"""The addresses under which others reach this host, and how a person over SSH reaches its loopback."""

import getpass
import ipaddress
import json
import os
from collections.abc import Mapping

from appliance_cli.base.process import ask
from appliance_cli.config.appliance import Appliance

_NOT_A_NETWORK = ("docker", "br-", "veth", "virbr", "cni", "podman")


def reaching(bind_address: str) -> tuple[str, ...]:
    """Those that a listener on ``bind_address`` answers on; none where that names one itself."""
    if bind_address not in ("0.0.0.0", "::"):
        return ()
    return tuple(each for each in of_host() if bind_address == "::" or ":" not in each)


def of_host() -> tuple[str, ...]:
    """Lasting addresses of this host's own networks, those of containers' bridges left out."""
    answer = ask(["ip", "-json", "addr", "show", "up", "scope", "global"])
    return parse(answer.out) if answer.code == 0 else ()


def parse(text: str) -> tuple[str, ...]:
    """The addresses in what ``ip -json addr`` prints; IPv4's first."""
    try:
        links = json.loads(text or "[]")
    except ValueError:
        return ()
    found = [
        entry["local"]
        for link in links
        if not str(link.get("ifname", "")).startswith(_NOT_A_NETWORK)
        for entry in link.get("addr_info", [])
        if "local" in entry and not entry.get("temporary") and not entry.get("deprecated")
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda each: ":" in each))


def urls(appliance: Appliance) -> tuple[str, ...]:
    """The page's address for other machines, by each of this host's; none on loopback."""
    return tuple(appliance.url_of(address) for address in reaching(appliance.bind_address))


def tunnel(appliance: Appliance, environ: Mapping[str, str] = os.environ) -> str | None:
    """For a person who is here over SSH: how his own browser reaches a door that is on loopback alone."""
    connection = environ.get("SSH_CONNECTION", "").split()
    if not appliance.loopback or len(connection) != 4:
        return None
    address, port = connection[2:]
    host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    way = f"{appliance.port}:{socket_of(appliance)}"
    other_port = "" if port == "22" else f" -p {port}"
    return f"ssh{other_port} -L {way} {_user(environ)}@{host}"


def socket_of(appliance: Appliance) -> str:
    """``host:port`` on which the door listens."""
    address = appliance.bind_address
    return f"{f'[{address}]' if ':' in address else address}:{appliance.port}"


def _user(environ: Mapping[str, str]) -> str:
    # why: under sudo the person signed in as somebody else
    return environ.get("SUDO_USER") or environ.get("USER") or getpass.getuser()
