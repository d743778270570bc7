"""A client for measuring short answers: keeps C connections busy with one request after another.

Owns connections that carry one plain request at a time (`Line`, which the soak's idle clients use too) and
the run of N requests over C of them. Streams are stream_load's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import time
from array import array
from collections.abc import Callable
from typing import cast

import uvloop

from bench.stream_load import http_request, percentiles
from bench.tgi_shapes import MODEL

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Line(asyncio.Protocol):
    """A kept connection that carries one request at a time, whose answer says its length.

    Attributes:
        closed: the server or the network ended it.
    """

    def __init__(self) -> None:
        self.closed = False
        self._answered: Callable[[int], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def ask(self, request: bytes, answered: Callable[[int], None]) -> None:
        """Sends a request; `answered` gets the status, or 0 when the connection ends before the answer
        does."""
        self._answered, self._buffer = answered, b""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end)
        if len(self._buffer) >= end + 4 + (int(length[1]) if length else 0):
            self._tell(int(self._buffer[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._tell(0)

    def _tell(self, status: int) -> None:
        answered, self._answered = self._answered, None
        if answered:
            answered(status)


def chat_request(address: tuple[str, int], key: str | None, tokens: int = 5) -> bytes:
    """A short chat request without streaming."""
    message = {"role": "user", "content": "How are you?"}
    body = json.dumps({"model": MODEL, "messages": [message], "max_tokens": tokens}).encode()
    return http_request("POST", "/v1/chat/completions", address, key, body)


async def _worker(address: tuple[str, int], request: bytes, left: list[int], took: array[int]) -> list[int]:
    """Asks until nothing is left; returns the statuses that were not 200."""
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(Line, *address)
    wrong: list[int] = []
    while left[0] > 0:
        left[0] -= 1
        answer: asyncio.Future[int] = loop.create_future()
        began = time.monotonic_ns()
        line.ask(request, answer.set_result)
        status = await answer
        took.append(time.monotonic_ns() - began)
        if status != 200:
            wrong.append(status)
        if line.closed:
            _, line = await loop.create_connection(Line, *address)
    line.transport.abort()
    return wrong


async def _run(
    address: tuple[str, int], key: str | None, connections: int, total: int, deadline_s: float
) -> dict[str, object]:
    took: array[int] = array("q")
    left, request = [total], chat_request(address, key)
    began = time.monotonic()
    workers = [_worker(address, request, left, took) for _ in range(connections)]
    wrong = [
        status for each in await asyncio.wait_for(asyncio.gather(*workers), deadline_s) for status in each
    ]
    return {
        "requests": total,
        "seconds": round(time.monotonic() - began, 3),
        "latency_ms": percentiles(took),
        "errors": len(wrong),
        "first_errors": wrong[:3],
    }


def run_requests(
    address: tuple[str, int], key: str | None, connections: int, total: int, deadline_s: float = 120
) -> dict[str, object]:
    """So many short chat requests over so many connections, each asking again when it is answered.

    Raises:
        TimeoutError: after `deadline_s` seconds.
    """
    gc.collect()
    gc.disable()
    try:
        return uvloop.run(_run(address, key, connections, total, deadline_s))
    finally:
        gc.enable()
