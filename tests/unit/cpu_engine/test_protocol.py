"""HTTP as it is on the wire, where the exchanges that were recorded do not say: answers to HTTP/1.0."""

from __future__ import annotations

import asyncio
import json

import pytest
from unit.cpu_engine.scripted_facade import Facade, frame, last_frame, running_facade

PROMPT = {"inputs": "abc", "parameters": {"details": True}}


async def _answer(facade: Facade, line: str, *fields: str, body: bytes = b"") -> tuple[bytes, bytes]:
    """Head and body of what comes until the server closes."""
    async with facade.session.get("/health") as response:
        reader, writer = await asyncio.open_connection(response.url.host, response.url.port)
    head = "\r\n".join([line, "Content-Type: application/json", f"Content-Length: {len(body)}", *fields])
    writer.write(f"{head}\r\n\r\n".encode() + body)
    head_bytes, _, rest = (await asyncio.wait_for(reader.read(), 30)).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head_bytes, rest


@pytest.mark.parametrize("fields", [(), ("Connection: keep-alive",), ("Expect: 100-continue",)])
async def test_http_1_0_is_answered_as_1_0(fields: tuple[str, ...]) -> None:
    async with running_facade() as facade:
        facade.llama.frames = [frame("Hi", 5, 1), frame("<end>", 2, 2), last_frame("eos", 2)]
        head, body = await _answer(
            facade, "POST /generate HTTP/1.0", *fields, body=json.dumps(PROMPT).encode()
        )
    first, *headers = head.lower().split(b"\r\n")
    assert first == b"http/1.0 200 ok"
    assert b"content-length: %d" % len(body) in headers
    assert json.loads(body)["generated_text"] == "Hi"


async def test_a_stream_of_http_1_0_has_no_chunks_and_ends_with_its_connection() -> None:
    async with running_facade() as facade:
        facade.llama.frames = [frame("Hi", 5, 1), frame("<end>", 2, 2), last_frame("eos", 2)]
        head, body = await _answer(facade, "POST /generate_stream HTTP/1.0", body=json.dumps(PROMPT).encode())
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"transfer-encoding" not in head.lower()
    events = body.split(b"\n\n")
    assert [event.startswith(b"data: {") for event in events] == [True, True, False]
    assert json.loads(events[1].removeprefix(b"data: "))["generated_text"] == "Hi"


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("GET /nope HTTP/1.0", b"HTTP/1.0 404 Not Found"),
        ("HEAD /health HTTP/1.0", b"HTTP/1.0 200 OK"),
        ("OPTIONS /generate HTTP/1.0", b"HTTP/1.0 200 OK"),
    ],
)
async def test_answers_without_a_body(line: str, first: bytes) -> None:
    async with running_facade() as facade:
        head, body = await _answer(facade, line)
    assert (head.split(b"\r\n")[0], body) == (first, b"")
