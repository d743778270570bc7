"""Proxies, SOCKS among them, and NO_PROXY are obeyed; one that can be none, or does not answer, is named."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.model_init_run import MODEL_ID, NO_SOCKETS, SHARD_1, WANTED, ModelInit
from harness.socks_proxy import IPV4, NAME, socks_proxy
from model_init.errors import Unreachable
from model_init.sources.http import get
from model_init.sources.stream import translated


class _Proxy(BaseHTTPRequestHandler):
    """Forwards GETs that name a whole address, and remembers them."""

    seen: list[tuple[str, str | None]]

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Proxy-Authorization"]))
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        headers = {
            name: value for name, value in self.headers.items() if name.lower() != "proxy-authorization"
        }
        connection.request(
            "GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers
        )
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    def do_CONNECT(self) -> None:
        self.seen.append((self.path, self.headers["Proxy-Authorization"]))
        self.send_error(502)


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A forward proxy and what it was asked for."""
    seen: list[tuple[str, str | None]] = []
    # why: 127.0.0.1 as a proxy is refused, because it is the container's own
    server = ThreadingHTTPServer(("127.0.0.2", 0), type("Proxy", (_Proxy,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"127.0.0.2:{server.server_address[1]}", seen
    server.shutdown()
    server.server_close()
    thread.join()


def test_everything_goes_through_the_proxy_with_its_password(
    hub: Hub, model_init: ModelInit, proxy: tuple[str, list[tuple[str, str | None]]]
) -> None:
    address, seen = proxy
    result = model_init.run("--verbose", NO_PROXY="", http_proxy=f"http://me:s%40cret@{address}")

    assert result.code == 0, result.log
    asked = {urlsplit(path).path.rsplit("/", 1)[1] for path, _ in seen}
    assert set(WANTED) <= asked
    assert {auth for _, auth in seen} == {"Basic " + base64.b64encode(b"me:s@cret").decode()}
    assert "s@cret" not in result.log


def test_https_asks_the_proxy_for_a_tunnel(
    model_init: ModelInit, proxy: tuple[str, list[tuple[str, str | None]]]
) -> None:
    address, seen = proxy
    result = model_init.run(
        HF_ENDPOINT="https://hub.invalid", NO_PROXY="", HTTPS_PROXY=f"http://{address}", MODEL_RETRIES="0"
    )

    assert result.code == 13
    assert seen[0][0] == "hub.invalid:443"


def test_no_proxy_goes_around_it(
    model_init: ModelInit, proxy: tuple[str, list[tuple[str, str | None]]]
) -> None:
    address, seen = proxy
    result = model_init.run(NO_PROXY="127.0.0.1", http_proxy=f"http://{address}")

    assert result.code == 0, result.log
    assert seen == []


@pytest.mark.parametrize(
    ("scheme", "kind", "password"),
    [("socks5", IPV4, None), ("socks5h", NAME, None), ("socks5h", NAME, ("me", "s@cret"))],
)
def test_everything_goes_through_a_socks_proxy(
    hub: Hub, model_init: ModelInit, scheme: str, kind: int, password: tuple[str, str] | None
) -> None:
    credentials = "me:s%40cret@" if password else ""
    with socks_proxy(password) as (address, seen):
        result = model_init.run(
            "--verbose",
            NO_PROXY="",
            http_proxy=f"{scheme}://{credentials}{address}",
            HF_ENDPOINT=hub.endpoint.replace("127.0.0.1", "localhost"),
        )

    assert result.code == 0, result.log
    assert len(seen) == len(hub.requests)
    files = [host for kind_seen, host, _ in seen if kind_seen == kind]
    assert set(files) == {"127.0.0.1" if kind == IPV4 else "localhost"}
    assert "s@cret" not in result.log


def test_what_a_socks_proxy_answers_is_said(model_init: ModelInit) -> None:
    with socks_proxy() as (address, _):
        result = model_init.run(
            NO_PROXY="", ALL_PROXY=f"socks5h://{address}", HF_ENDPOINT="http://hub.invalid", MODEL_RETRIES="0"
        )

    assert result.code == 13
    assert "Host unreachable" in result.log


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_proxy_that_is_the_container_itself_is_refused(model_init: ModelInit, host: str) -> None:
    result = model_init.run(prelude=NO_SOCKETS, NO_PROXY="", HTTPS_PROXY=f"socks5h://me:secret@{host}:7890")

    assert result.code == 2
    assert result.log == (
        "error: HTTPS_PROXY: expected an address that the container can reach, found "
        f"{host.strip('[]')}, which is the container itself; write socks5h://host.docker.internal:7890 and "
        "let the proxy listen for it (“allow LAN” in many of them)\n"
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("socks4://10.0.0.1:1080", "socks4"),
        ("ftp://10.0.0.1", "ftp"),
        ("http://10.0.0.1:port", "no such address"),
        ("http://[bad", "no such address"),
    ],
)
def test_a_proxy_of_another_kind_is_refused_by_name(model_init: ModelInit, address: str, found: str) -> None:
    result = model_init.run(prelude=NO_SOCKETS, NO_PROXY="", HTTPS_PROXY=address)

    assert result.code == 2
    assert result.log == (
        "error: HTTPS_PROXY: expected http://, socks5:// or socks5h:// and an address with a port, found "
        f"{found}; correct it\n"
    )


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("listed", [False, True], ids=["before the list", "after it"])
def test_a_proxy_that_does_not_answer_is_named(
    model_init: ModelInit, hub: Hub, scheme: str, listed: bool
) -> None:
    if listed:
        hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(status=500)]
        assert model_init.run(MODEL_RETRIES="0").code == 13
    with socket.socket() as free:
        free.bind(("127.0.0.2", 0))
        address = f"127.0.0.2:{free.getsockname()[1]}"
        result = model_init.run(NO_PROXY="", http_proxy=f"{scheme}://me:secret@{address}", MODEL_RETRIES="0")

    assert result.code == 13
    assert f"the proxy {scheme}://{address} does not answer ([Errno 111] Connection refused)" in result.log
    assert "secret" not in result.log


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://10.0.0.1", "an address with a port, found https"),
        ("https://me:secret@10.0.0.1:1", "an address with a port, found https"),
        ("socks4://10.0.0.1:1080", "an address with a port, found socks4"),
        ("http://[bad", "an address with a port, found no such address"),
        ("http://localhost:9", "reach, found localhost, which is the container itself"),
    ],
)
def test_a_proxy_of_another_kind_on_the_way_of_a_redirect_is_named(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, address: str, found: str
) -> None:
    """One that was not judged before: a source that is asked by https redirects to http."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("http_proxy", address)
    hub.repos[MODEL_ID].cdn = "http://cdn.invalid"
    url = f"{hub.endpoint}/{MODEL_ID}/resolve/main/{SHARD_1}"
    said = (
        r"cdn\.invalid, to which it redirects, does not answer \(the proxy for http can't be used: expected "
        rf".* {found}\)$"
    )

    with (
        pytest.raises(Unreachable, match=said),
        translated(hub.endpoint, 1),
        get(url, {}, secret={}, stall_s=1),
    ):
        pass


@pytest.mark.parametrize("listed", [False, True], ids=["before the list", "after it"])
def test_a_proxy_that_is_silent_is_named(model_init: ModelInit, hub: Hub, listed: bool) -> None:
    if listed:
        hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(status=500)]
        assert model_init.run(MODEL_RETRIES="0").code == 13
    with socket.create_server(("127.0.0.2", 0)) as silent:
        address = f"http://127.0.0.2:{silent.getsockname()[1]}"
        result = model_init.run(
            prelude="import model_init.sources.hub as hub; hub.LISTING_TIMEOUT_S = 0.5",
            NO_PROXY="",
            http_proxy=address,
            MODEL_RETRIES="0",
            STALL_SECONDS="0.5",
        )

    assert result.code == 13
    reason = "nothing, or next to nothing, came for 0.5 s" if listed else "no answer (ReadTimeout: timed out)"
    assert f"found: {reason}, through the proxy {address}" in result.log
