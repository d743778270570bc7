"""Which proxies a container can use, by their address. Owns the words for those it can't."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

HOST_IN_CONTAINER = "host.docker.internal"
PORTS = {"http": 80, "socks5": 1080, "socks5h": 1080}
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Fault:
    """Why a proxy can't be used. Never holds its password."""

    expected: str
    found: str
    remedy: str


def split(address: str) -> SplitResult:
    """The address in its parts; one without a scheme is HTTP's.

    Raises:
        ValueError: it is none.
    """
    return urlsplit(address if "://" in address else f"http://{address}")


def on_the_host(address: str) -> str:
    """The same proxy for a program that runs on the host itself."""
    return address.replace(HOST_IN_CONTAINER, "127.0.0.1")


def fault(address: str) -> Fault | None:
    """What is wrong with it: it speaks what we don't, is no address, or is the container itself."""
    kind = address.partition("://")[0] if "://" in address else "http"
    try:
        parts = split(address)
        kind, host, port = parts.scheme, parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:
        host = port = None
    if kind not in PORTS or not host:
        return Fault(
            "http://, socks5:// or socks5h:// and an address with a port",
            kind if kind not in PORTS else "no such address",
            "correct it",
        )
    if host in _OWN_NAMES:
        return Fault(
            "an address that the container can reach",
            f"{host}, which is the container itself",
            f"write {kind}://{HOST_IN_CONTAINER}:{port or PORTS[kind]} and let the proxy listen for it "
            "(“allow LAN” in many of them)",
        )
    return None
