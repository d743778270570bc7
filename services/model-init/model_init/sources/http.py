"""One GET over http.client: redirects, proxies, certificates, timeouts. Knows no hub and no file.

Why not huggingface_hub's client, which asks for the list (see `hub`): bytes go from the socket into one
reused buffer here, which costs half of what a chunk-yielding client does; what came before a connection broke
is kept to the last byte; and every redirect's headers are seen (the Hub states a file's digest on the
redirect). Credentials go to the first host only. Proxies are `proxies`' to name, SSL_CERT_FILE is the CA.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ..proxies import CONNECT_TIMEOUT_S, Proxy, proxy_for

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}


class NoConnection(OSError):
    """Somebody on the way to what was asked for does not answer: `who`, for people. The cause says why."""

    def __init__(self, who: str) -> None:
        super().__init__(who)
        self.who = who


@dataclass
class Answer:
    """The last answer of a chain: its status, headers and body.

    `linked` are the X-Linked-… headers of the redirects before it. Names of headers are in lower case.
    """

    status: int
    redirected: bool
    response: http.client.HTTPResponse
    headers: dict[str, str] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)

    def read_into(self, buffer: memoryview) -> int:
        """Up to len(buffer) bytes, as many as one read gives; 0 at the end of the body."""
        response = self.response
        if response.chunked or response.length is None:
            chunk = response.read1(len(buffer))
            buffer[: len(chunk)] = chunk
            return len(chunk)
        if not response.length:
            return 0
        # why: HTTPResponse.readinto waits until the buffer is full, and loses what it has when it times out
        count = response.fp.readinto1(buffer[: min(len(buffer), response.length)])
        response.length -= count
        return count


@contextmanager
def get(
    url: str, headers: Mapping[str, str], *, secret: Mapping[str, str], stall_s: float
) -> Iterator[Answer]:
    """Ask for an address, following redirects.

    Args:
        headers: sent to every host of the chain.
        secret: sent besides to the first host only (Authorization).
        stall_s: seconds without any byte after which reading raises TimeoutError.

    Raises:
        NoConnection: to a proxy, or to the host of a redirect.
        OSError, http.client.HTTPException: no connection, a broken answer, a stall.
    """
    first = urlsplit(url)
    linked: dict[str, str] = {}
    for hop in range(MAX_REDIRECTS + 1):
        parts = _split(url)
        same_host = (parts.scheme, parts.netloc) == (first.scheme, first.netloc)
        try:
            connection, target, extra = _connect(parts, stall_s)
        except OSError as error:
            if hop and not isinstance(error, NoConnection):
                raise NoConnection(f"{parts.netloc}, to which it redirects,") from error
            raise
        try:
            connection.request("GET", target, headers={**headers, **extra, **(secret if same_host else {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            if response.status not in _REDIRECTS or "location" not in found:
                yield Answer(response.status, hop > 0, response, found, linked)
                return
            linked |= {name: value for name, value in found.items() if name.startswith("x-linked-")}
            # some servers write a file's name as it is
            location = quote(found["location"], safe=string.punctuation, encoding="latin-1")
            url = _joined(url, location)
        finally:
            connection.close()
    raise http.client.HTTPException(f"more than {MAX_REDIRECTS} redirects")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise _no_address(error) from error


def _split(url: str) -> SplitResult:
    """The address in its parts; asking for its port raises nothing any more."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _no_address(error) from error
    return parts


def _no_address(error: ValueError) -> http.client.HTTPException:
    return http.client.HTTPException(f"a redirect to an address that is none ({error})")


def _connect(parts: SplitResult, stall_s: float) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """An open connection, the request's target on it, and headers that a proxy needs."""
    if parts.scheme not in _PORTS or not parts.hostname:
        raise http.client.HTTPException("a redirect to an address that is not http or https")
    host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    extra: dict[str, str] = {}
    proxy = proxy_for(parts.scheme, host)
    via = (proxy.host, proxy.port) if proxy and not proxy.is_socks else (host, port)
    timeout = min(CONNECT_TIMEOUT_S, stall_s)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(*via, timeout=timeout, context=_tls())
        if proxy and not proxy.is_socks:
            connection.set_tunnel(host, port, headers=proxy.authorization())
    else:
        connection = http.client.HTTPConnection(*via, timeout=timeout)
        if proxy and not proxy.is_socks:
            target = parts._replace(fragment="").geturl()
            extra = {"Host": parts.netloc, **proxy.authorization()}
    try:
        if proxy and proxy.is_socks:
            plain = _through_socks(proxy, host, port, timeout)
            tls = parts.scheme == "https"
            connection.sock = _tls().wrap_socket(plain, server_hostname=host) if tls else plain
        else:
            connection.connect()
    except UnicodeError as error:
        # a name with an empty or endless part
        connection.close()
        raise _no_address(error) from error
    except OSError as error:
        connection.close()
        if proxy and isinstance(error, (ConnectionRefusedError, TimeoutError, socket.gaierror)):
            raise NoConnection(f"the proxy {proxy.name}") from error
        raise
    connection.sock.settimeout(stall_s)
    return connection, target, extra


def _through_socks(proxy: Proxy, host: str, port: int, timeout: float) -> socket.socket:
    """A connection that a SOCKS 5 proxy makes; with socks5h it looks up the name, too."""
    import socks

    try:
        connected: socket.socket = socks.create_connection(
            (host, port),
            timeout=timeout,
            proxy_type=socks.SOCKS5,
            proxy_addr=proxy.host,
            proxy_port=proxy.port,
            proxy_rdns=proxy.kind == "socks5h",
            proxy_username=proxy.user,
            proxy_password=proxy.password,
        )
        return connected
    except socks.ProxyError as error:
        if isinstance(error, socks.ProxyConnectionError) or isinstance(error.socket_err, TimeoutError):
            raise NoConnection(f"the proxy {proxy.name}") from error.socket_err or error
        raise OSError(f"the proxy {proxy.name} says: {error.msg}") from error


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
