"""OFFLINE=1 opens no socket at all; HTTPS_PROXY and NO_PROXY are obeyed."""

from __future__ import annotations

import base64
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from harness.hub import Hub
from harness.model_init_run import MODEL_ID, SHARD_1, WANTED, ModelInit

# An audit hook can't be removed or got around by Python code: the first socket ends the process.
NO_SOCKETS = """
import os, sys
def hook(event, arguments):
    if event.startswith("socket."):
        print("a socket was touched:", event, flush=True)
        os._exit(99)
sys.addaudithook(hook)
"""


def test_the_hook_of_these_tests_bites(model_init: ModelInit) -> None:
    assert model_init.run(prelude=NO_SOCKETS).code == 99


def test_offline_a_complete_model_is_ready_without_a_socket(model_init: ModelInit) -> None:
    model_init.run()
    for level in ("quick", "full"):
        result = model_init.run(prelude=NO_SOCKETS, OFFLINE="1", VERIFY=level)
        assert result.code == 0, result.out + result.log


def test_offline_a_damaged_model_is_named_without_a_socket(model_init: ModelInit) -> None:
    model_init.run()
    (model_init.folder / SHARD_1).write_bytes(b"?")
    result = model_init.run(prelude=NO_SOCKETS, OFFLINE="1")

    assert result.code == 13
    assert f"found {SHARD_1} missing, and OFFLINE=1 forbids every connection" in result.log


@pytest.mark.parametrize("model_id", [MODEL_ID, "Qwen/Qwen2.5-7B-Instruct"])
def test_offline_an_empty_volume_is_told_what_to_do(model_init: ModelInit, model_id: str) -> None:
    space = "import shutil; shutil.disk_usage = lambda p: shutil._ntuple_diskusage(10**12, 0, 10**12)"
    result = model_init.run(prelude=NO_SOCKETS + space, OFFLINE="1", MODEL_ID=model_id)

    assert result.code == 13
    assert "scripts/appliance model import" in result.log


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
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Proxy", (_Proxy,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", seen
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
