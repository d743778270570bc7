"""HTTPS_PROXY, HTTP_PROXY and NO_PROXY: which way a request goes, and which ways can't be gone.

Owns what of a proxy may be said (never its password). What can be one is `model_files.proxy_address`'s.
"""

from __future__ import annotations

import base64
import socket
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from model_files import proxy_address

from .errors import SettingsError, Unreachable

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Proxy:
    """Where it listens, what it speaks, and the variable that names it."""

    kind: str
    host: str
    port: int
    user: str | None
    password: str

    @property
    def name(self) -> str:
        """For people, without its password."""
        return f"{self.kind}://{self.host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS 5."""
        return self.kind != "http"

    def authorization(self) -> dict[str, str]:
        """The header that an HTTP proxy with a password wants."""
        if self.user is None:
            return {}
        pair = f"{self.user}:{self.password}"
        return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def proxy_for(scheme: str, host: str) -> Proxy | None:
    """The one that requests of this kind to this host go through.

    Raises:
        OSError: it can't be one. Of what is asked first, `refuse_unusable` has said so; a redirect may lead
            from https to http.
    """
    found = urllib.request.getproxies()
    address = found.get(scheme) or found.get("all")
    if not address or urllib.request.proxy_bypass(host):
        return None
    fault = proxy_address.fault(address)
    if fault:
        raise OSError(f"the proxy for {scheme} can't be used: expected {fault.expected}, found {fault.found}")
    parts = proxy_address.split(address)
    user = None if parts.username is None else unquote(parts.username)
    port = parts.port or proxy_address.PORTS[parts.scheme]
    return Proxy(parts.scheme, parts.hostname or "", port, user, unquote(parts.password or ""))


def refuse_unusable(environ: Mapping[str, str], addresses: Iterable[str]) -> None:
    """Say of each proxy that the way to these addresses may lead through whether it can be one.

    The one for http counts only where http is asked: Docker's client may have set it for other containers.

    Raises:
        SettingsError: it speaks what we don't, has no good address, or is the container itself.
    """
    if (environ.get("NO_PROXY") or environ.get("no_proxy")) == "*":
        return
    by_http = any(address.startswith("http://") for address in addresses)
    for name in ("HTTPS_PROXY", "ALL_PROXY", *(["HTTP_PROXY"] if by_http else [])):
        for variable in (name.lower(), name):
            fault = proxy_address.fault(environ[variable]) if environ.get(variable) else None
            if fault:
                hint = "" if variable == name else ". Docker's client sets it (~/.docker/config.json)"
                raise SettingsError(
                    f"{variable}: expected {fault.expected}, found {fault.found}; {fault.remedy}{hint}"
                )


def by_way_of(url: str) -> str:
    """`, through the proxy …` for an address that is reached so."""
    parts = urlsplit(url)
    proxy = proxy_for(parts.scheme, parts.hostname or "")
    return f", through the proxy {proxy.name}" if proxy else ""


def require_answer(url: str) -> None:
    """Whether the proxy on the way to an address, if there is one, takes connections.

    Raises:
        Unreachable: it does not, within ten seconds.
    """
    parts = urlsplit(url)
    proxy = proxy_for(parts.scheme, parts.hostname or "")
    if proxy:
        try:
            socket.create_connection((proxy.host, proxy.port), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise Unreachable(f"the proxy {proxy.name} does not answer ({error})") from error
