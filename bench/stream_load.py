"""A client for measuring: keeps K streams open against one address and tells when each token came.

    PYTHONPATH=.:tests python -m bench.stream_load http://127.0.0.1:3000 --streams 50 --tokens 100 --rate 50

Owns sockets and arrival times; token_emitter says when a frame left, and both read the same monotonic
clock, so both run on one machine. Each of K connections is kept and carries one stream after another;
starts are spread so that tokens do not leave in step. Latency is a frame's arrival less its stamp. Knows
nothing of who serves.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import statistics
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

from bench.tgi_shapes import MODEL

_STAMP = re.compile(rb"@(\d{19})")
_END = b"\r\n0\r\n\r\n"
CHAT, GENERATE = "/v1/chat/completions", "/generate_stream"


@dataclass(frozen=True, slots=True)
class Demand:
    """What to ask, of whom.

    Attributes:
        address: host and port.
        key: bearer key, or None.
        streams: how many run at a time.
        total: how many run altogether.
        tokens: tokens in each.
        rate: tokens a second in each.
        ttft_ms: what the engine waits before a first token.
        route: OpenAI's chat route, whose answers are translated at the door, or TGI's /generate_stream,
            which passes as it is.
        patience_s: after so many seconds more than the demand needs, what has not ended is an error.
    """

    address: tuple[str, int]
    key: str | None
    streams: int
    total: int
    tokens: int
    rate: int
    ttft_ms: int = 0
    route: str = CHAT
    patience_s: float = 15.0

    def seconds(self) -> float:
        """How long the streams take when nothing delays them."""
        turns = -(-self.total // self.streams)
        return self.ramp_seconds() + turns * (self.tokens / self.rate + self.ttft_ms / 1000)

    def ramp_seconds(self) -> float:
        """Over how long the first streams start: at most 250 a second."""
        return max(1 / self.rate, self.streams / 250)

    def request(self) -> bytes:
        """The request, head and body."""
        told = f"rate={self.rate} ttft_ms={self.ttft_ms}"
        if self.route == GENERATE:
            body: dict[str, Any] = {"inputs": told, "parameters": {"max_new_tokens": self.tokens}}
        else:
            body = {
                "model": MODEL,
                "messages": [{"role": "user", "content": told}],
                "max_tokens": self.tokens,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        return http_request("POST", self.route, self.address, self.key, json.dumps(body).encode())


@dataclass(slots=True)
class Times:
    """What happened. Times in nanoseconds."""

    ttft: array[int] = field(default_factory=lambda: array("q"))
    latency: array[int] = field(default_factory=lambda: array("q"))
    gap: array[int] = field(default_factory=lambda: array("q"))
    finished: int = 0
    errors: list[str] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """Percentiles in milliseconds."""
        return {
            "streams": self.finished,
            "tokens": len(self.latency),
            "ttft_ms": percentiles(self.ttft),
            "latency_ms": percentiles(self.latency),
            "gap_ms": percentiles(self.gap),
            "errors": len(self.errors),
            "first_errors": self.errors[:3],
        }


class _Slot(asyncio.Protocol):
    """One connection that carries stream after stream."""

    def __init__(self, load: StreamLoad) -> None:
        self._load = load
        self._running = False
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def start(self) -> None:
        """Sends the next request."""
        self._running, self._tokens, self._tail = True, 0, b""
        self._before = self._began = time.monotonic_ns()
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        times = self._load.times
        data = self._tail + data
        end = 0
        for stamp in _STAMP.finditer(data):
            end = stamp.end()
            times.latency.append(now - int(stamp[1]))
            (times.gap if self._tokens else times.ttft).append(now - self._before)
            self._tokens += 1
            self._before = now
        self._tail = data[max(end, len(data) - 64) :]
        if not self._running:
            return
        if self._tokens == 0 and not data.startswith(b"HTTP/1.1 200"):
            self._fail(data[:300].decode(errors="replace"))
        elif self._tail.endswith(_END):
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._running:
            self._fail(f"connection lost after {self._tokens} tokens: {error}")

    def _finish(self) -> None:
        if self._tokens != self._load.demand.tokens:
            self._fail(f"{self._tokens} tokens instead of {self._load.demand.tokens}")
            return
        self._running = False
        self._load.times.finished += 1
        self._load.ended(self)

    def _fail(self, reason: str) -> None:
        self._running, self.closed = False, True
        self._load.times.errors.append(reason)
        self.transport.close()
        self._load.ended(self)


class StreamLoad:
    """One run of a demand.

    Attributes:
        times: what happened so far.
    """

    def __init__(self, demand: Demand) -> None:
        self.demand, self.request = demand, demand.request()
        self.times = Times()
        self._left = demand.total
        self._slots: list[_Slot] = []
        self._opening: set[asyncio.Task[None]] = set()

    async def run(self) -> Times:
        """Runs the demand to its end, or until its patience is over; what is unfinished then counts as
        errors."""
        self._done = asyncio.Event()
        loop = asyncio.get_running_loop()
        slots = [await self._open() for _ in range(self.demand.streams)]
        step = self.demand.ramp_seconds() / self.demand.streams
        for number, slot in enumerate(slots):
            loop.call_later(number * step, self._next, slot)
        try:
            await asyncio.wait_for(self._done.wait(), self.demand.seconds() + self.demand.patience_s)
        except TimeoutError:
            missing = self.demand.total - self.times.finished - len(self.times.errors)
            self.times.errors += ["not ended in time"] * missing
            self._done.set()
        for slot in self._slots:
            slot.transport.abort()
        return self.times

    def ended(self, slot: _Slot) -> None:
        """A stream is over, well or not: its connection takes the next one."""
        if self.times.finished + len(self.times.errors) >= self.demand.total:
            self._done.set()
        elif slot.closed and self._left:
            again = asyncio.get_running_loop().create_task(self._replace())
            self._opening.add(again)
            again.add_done_callback(self._opening.discard)
        else:
            self._next(slot)

    async def _open(self) -> _Slot:
        loop = asyncio.get_running_loop()
        _, slot = await loop.create_connection(lambda: _Slot(self), *self.demand.address)
        self._slots.append(slot)
        return slot

    async def _replace(self) -> None:
        self._next(await self._open())

    def _next(self, slot: _Slot) -> None:
        if self._left and not self._done.is_set():
            self._left -= 1
            slot.start()


def http_request(method: str, path: str, address: tuple[str, int], key: str | None, body: bytes) -> bytes:
    """The bytes of one keep-alive request."""
    host, port = address
    credential = f"Authorization: Bearer {key}\r\n" if key else ""
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\n{credential}{about}\r\n"
    return head.encode() + body


def percentiles(values: Sequence[int]) -> dict[str, float]:
    """p50, p99, maximum and mean in milliseconds of nanoseconds; empty when nothing was measured."""
    if not values:
        return {}
    ordered = sorted(values)
    last = len(ordered) - 1
    found = {"p50": ordered[last // 2], "p99": ordered[int(last * 0.99)], "max": ordered[last]}
    return {
        name: round(value / 1e6, 4) for name, value in {**found, "mean": statistics.fmean(ordered)}.items()
    }


def run(demand: Demand) -> Times:
    """Runs a demand from code that has no event loop."""
    # Why: a collection in the middle would be measured as the proxy's delay.
    gc.collect()
    gc.disable()
    try:
        return uvloop.run(StreamLoad(demand).run())
    finally:
        gc.enable()


def address_of(url: str) -> tuple[str, int]:
    """Host and port of an http:// address."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def main() -> None:
    """One run against one address; prints JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--key")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--total", type=int, help="streams altogether (default: as many as run at a time)")
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--ttft-ms", type=int, default=0)
    options = parser.parse_args()
    demand = Demand(
        address=address_of(options.url),
        key=options.key,
        streams=options.streams,
        total=options.total or options.streams,
        tokens=options.tokens,
        rate=options.rate,
        ttft_ms=options.ttft_ms,
    )
    print(json.dumps(run(demand).report(), indent=1))


if __name__ == "__main__":
    main()
