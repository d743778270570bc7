"""What one client may send: bounded headers and bodies, in bounded time."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.raw_http import lines
from harness.routes import largest_body

pytest_plugins = ["harness.door_fixtures"]


def test_headers_have_a_bound(echoing: LoneDoor, bearer: str) -> None:
    too_many = [f"X-{i}: {'a' * 700}" for i in range(60)]
    for fields in ([f"X-A: {'a' * 9000}"], [f"Cookie: x={'a' * 9000}"], too_many, ["X: y"] * 3000):
        assert raw_http.ask(echoing.port, "GET", "/v1/models", bearer, *fields).status in (400, 431)
    assert raw_http.ask(echoing.port, "GET", f"/v1/models?{'a' * 9000}", bearer).status == 414
    assert echoing.seen() == []
    assert raw_http.ask(echoing.port, "GET", "/v1/models", bearer, f"X-A: {'a' * 4000}").status == 200


def test_bodies_have_a_bound_in_the_callers_shape(
    echoing: LoneDoor, bearer: str, person: tuple[str, str]
) -> None:
    large = b"x" * (largest_body("api_tgi") + 1)
    chunks = f"{len(large):x}\r\n{large.decode()}\r\n0\r\n\r\n"
    for path in ("/v1/chat/completions", "/generate"):
        chunked = lines(f"POST {path}", bearer, "Transfer-Encoding: chunked", body=chunks)
        for answer in (
            raw_http.ask(echoing.port, "POST", path, bearer, body=large),
            raw_http.exchange(echoing.port, chunked).only,
        ):
            assert answer.status == 413
            if path.startswith("/v1/"):
                assert answer.json["error"]["code"] == "request_too_large"
            else:
                assert answer.json["error_type"] == "validation"
    sign_in = raw_http.ask(
        echoing.port,
        "POST",
        "/session",
        raw_http.basic(person[0], "x"),
        body=b"x" * (largest_body("sign_in") + 1),
    )
    assert sign_in.status == 413
    assert sign_in.headers["content-type"] == "application/json"
    assert echoing.seen() == []


@pytest.mark.parametrize("path", ["/health", "/status", "/favicon.ico"])
def test_a_stranger_cannot_fill_nginx_with_bodies(echoing: LoneDoor, path: str) -> None:
    """What needs no credential takes no body: a few hundred large ones would end an nginx worker."""
    status = raw_http.ask(echoing.port, "POST", path, body=b"x" * 100_000).status
    assert status in (403, 405, 413)
    assert echoing.seen() == []


def test_slow_clients_are_cut(echoing: LoneDoor, bearer: str) -> None:
    """By client_header_timeout (15 s) and client_body_timeout (30 s), all at a time."""
    clients = {
        "silent": (b"", b""),
        "dribbles its request line": (b"GE", b"T"),
        "dribbles a header": (b"GET /health HTTP/1.1\r\nHost: door\r\nX-A: ", b"a"),
        "dribbles headers": (b"GET /health HTTP/1.1\r\nHost: door\r\n", b"X: y\r\n"),
        "sends no body": (lines("POST /generate", bearer, "Content-Length: 500"), b""),
        "dribbles a body without a key": (lines("POST /generate", "Content-Length: 500"), b"x"),
    }
    with ThreadPoolExecutor(len(clients)) as pool:
        cut = dict(zip(clients, pool.map(lambda c: _is_cut(echoing.port, *c), clients.values()), strict=True))
    assert cut == dict.fromkeys(clients, True)
    assert echoing.seen() == []


def _is_cut(port: int, start: bytes, drop: bytes, *, deadline_s: float = 60) -> bool:
    """Whether the server closes on a client that sends `drop` once a second."""
    end = time.monotonic() + deadline_s
    with socket.create_connection(("127.0.0.1", port), 1) as client:
        client.sendall(start)
        while time.monotonic() < end:
            try:
                if not client.recv(4096):
                    return True
            except TimeoutError:
                try:
                    client.sendall(drop)
                except OSError:
                    return True
            except ConnectionResetError:
                return True
    return False
