"""One GET over http.client: redirects, proxies, certificates, timeouts. Knows no hub and no file.

Why not huggingface_hub's client, which asks for the list (see `hub`): bytes go from the socket into one
reused buffer here, which costs half of what a chunk-yielding client does; what came before a connection broke
is kept to the last byte; and every redirect's headers are seen (the Hub states a file's digest on the
redirect). Credentials go to the first host only. HTTPS_PROXY, HTTP_PROXY and NO_PROXY are honoured,
SSL_CERT_FILE is the CA.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

CONNECT_TIMEOUT_S = 10.0
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}


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
        OSError, http.client.HTTPException: no connection, a broken answer, a stall.
    """
    first = urlsplit(url)
    linked: dict[str, str] = {}
    for hop in range(MAX_REDIRECTS + 1):
        parts = urlsplit(url)
        same_host = (parts.scheme, parts.netloc) == (first.scheme, first.netloc)
        connection, target, extra = _connect(parts, stall_s)
        try:
            connection.request("GET", target, headers={**headers, **extra, **(secret if same_host else {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            if response.status not in _REDIRECTS or "location" not in found:
                yield Answer(response.status, hop > 0, response, found, linked)
                return
            linked |= {name: value for name, value in found.items() if name.startswith("x-linked-")}
            url = urljoin(url, found["location"])
        finally:
            connection.close()
    raise http.client.HTTPException(f"more than {MAX_REDIRECTS} redirects")


def _connect(parts: SplitResult, stall_s: float) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """An open connection, the request's target on it, and headers that a proxy needs."""
    if parts.scheme not in _PORTS or not parts.hostname:
        raise http.client.HTTPException("a redirect to an address that is not http or https")
    host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    extra: dict[str, str] = {}
    proxy = _proxy(parts.scheme, host)
    via = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
    timeout = min(CONNECT_TIMEOUT_S, stall_s)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(*via, timeout=timeout, context=_tls())
        if proxy:
            connection.set_tunnel(host, port, headers=_proxy_auth(proxy))
    else:
        connection = http.client.HTTPConnection(*via, timeout=timeout)
        if proxy:
            target, extra = parts._replace(fragment="").geturl(), {"Host": parts.netloc, **_proxy_auth(proxy)}
    connection.connect()
    connection.sock.settimeout(stall_s)
    return connection, target, extra


def _proxy(scheme: str, host: str) -> SplitResult | None:
    address = urllib.request.getproxies().get(scheme)
    if not address or urllib.request.proxy_bypass(host):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")


def _proxy_auth(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
