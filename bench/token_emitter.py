"""An engine for measuring: exactly so many tokens a second in every stream, in TGI 3.3.7's shapes, and
nothing else.

    PYTHONPATH=.:tests python3 -m bench.token_emitter --port 3000 --rate 50 --ttft-ms 40

Owns sockets and time: one wheel of half-millisecond slots sends what is due, so that 500 streams cost one
timer. A stream's tokens are due at fixed times from its start (lateness does not add up), and each frame
carries the moment it was handed to the kernel. `rate=N` and `ttft_ms=N` in a request's text override the
flags, `tokens=N` is how many there are where no parameter says it, and `text=words` or `text=sampled` has
it answer in Markdown (tgi_shapes.words). GET /emitter tells how late frames left. Needs Python 3.13
(timerfd); asyncio's own transport, because it writes at once, so that a stamp is true.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any, cast

from bench import tgi_shapes
from bench.tgi_shapes import Frames

SLOT_NS = 500_000
_RATE = re.compile(rb"rate=(\d+)")
_TTFT = re.compile(rb"ttft_ms=(\d+)")
_TOKENS = re.compile(rb"tokens=(\d+)")
_TEXT = re.compile(rb"text=(\w+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Stream:
    """One answer under way. Times in nanoseconds of the monotonic clock."""

    transport: asyncio.WriteTransport
    frames: Frames
    tokens: int
    first_due: int
    interval: float
    sent: int = 0
    ended: bool = False

    def due(self) -> int:
        """When the next token is to leave."""
        return self.first_due + int(self.sent * self.interval)

    def send(self, head: bytes = b"") -> None:
        """Hands the next token to the kernel, after `head`."""
        self.sent += 1
        if self.sent < self.tokens:
            self.transport.write(head + self.frames.next(self.sent - 1, time.monotonic_ns()))
            return
        self.ended = True
        self.transport.write(head + self.frames.last % time.monotonic_ns() + self.frames.tail)


@dataclass(slots=True)
class Lateness:
    """How long after its due time each frame left, in tenths of a millisecond up to 100 ms."""

    counts: list[int] = field(default_factory=lambda: [0] * 1001)

    def take(self, late_ns: int) -> None:
        self.counts[min(late_ns // 100_000, 1000)] += 1

    def report(self) -> dict[str, float]:
        """Percentiles in milliseconds since the last report, which it forgets."""
        counts, self.counts = self.counts, [0] * 1001
        total, seen, found = sum(counts), 0, {"frames": float(sum(counts))}
        for bucket, count in enumerate(counts):
            seen += count
            for name, share in (("late_p50_ms", 0.5), ("late_p99_ms", 0.99), ("late_max_ms", 1.0)):
                if name not in found and total and seen >= share * total:
                    found[name] = (bucket + 1) / 10
        return found


class Wheel:
    """Sends every stream's tokens when they are due, from one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._slots: dict[int, list[Stream]] = {}
        self._now = time.monotonic_ns() // SLOT_NS
        self.lateness = Lateness()
        self._timer = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        loop.add_reader(self._timer, self._turn)

    def add(self, stream: Stream) -> None:
        """Sends the stream's next token in the slot of its due time, or in the next one."""
        if not self._slots:
            self._now = max(self._now, time.monotonic_ns() // SLOT_NS)
            os.timerfd_settime_ns(self._timer, initial=SLOT_NS, interval=SLOT_NS)
        slot = max(-(-stream.due() // SLOT_NS), self._now + 1)
        self._slots.setdefault(slot, []).append(stream)

    def _turn(self) -> None:
        os.read(self._timer, 8)
        until = time.monotonic_ns() // SLOT_NS
        slots = self._slots
        while self._now < until:
            self._now += 1
            for stream in slots.pop(self._now, ()):
                if stream.ended:
                    continue
                self.lateness.take(max(0, time.monotonic_ns() - stream.due()))
                stream.send()
                if not stream.ended:
                    self.add(stream)
        if not slots:
            os.timerfd_settime_ns(self._timer, initial=0)


class Connection(asyncio.Protocol):
    """One client's connection: reads requests of known length, answers or starts a stream."""

    def __init__(self, wheel: Wheel, rate: int, ttft_ms: int) -> None:
        self._wheel, self._rate, self._ttft_ms = wheel, rate, ttft_ms
        self._buffer = b""
        self._stream: Stream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        if self._stream:
            self._stream.ended = True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._answer(head.split(b"\r\n", 1)[0], body)

    def _answer(self, request: bytes, body: bytes) -> None:
        method, path = request.split(b" ")[:2]
        if path == b"/emitter":
            self._transport.write(tgi_shapes.json_answer(self._wheel.lateness.report()))
        elif path == b"/health":
            self._transport.write(tgi_shapes.json_answer(None))
        elif path == b"/info":
            self._transport.write(tgi_shapes.info_answer())
        elif path == b"/v1/models":
            self._transport.write(tgi_shapes.models_answer())
        elif path == b"/chat_tokenize":
            self._transport.write(tgi_shapes.prompt_answer(json.loads(body)["messages"]))
        elif method == b"POST" and path in (b"/v1/chat/completions", b"/generate_stream"):
            self._generate(path, body)
        else:
            self._transport.write(tgi_shapes.json_answer({"error": "not found"}, status=b"404 Not Found"))

    def _generate(self, path: bytes, body: bytes) -> None:
        request: dict[str, Any] = json.loads(body)
        told = _TOKENS.search(body)
        usual = int(told[1]) if told else 100
        found = _TEXT.search(body)
        text = found[1].decode() if found else ""
        if path == b"/generate_stream":
            parameters = request.get("parameters") or {}
            tokens = int(parameters.get("max_new_tokens") or usual)
            frames = tgi_shapes.generate_frames(tokens, bool(parameters.get("details")), text)
        else:
            tokens = int(request.get("max_tokens") or usual)
            if not request.get("stream"):
                self._transport.write(tgi_shapes.chat_answer(tokens))
                return
            usage = (request.get("stream_options") or {}).get("include_usage")
            frames = tgi_shapes.chat_frames(tokens, bool(usage), text)
        self._start(frames, tokens, body)

    def _start(self, frames: Frames, tokens: int, body: bytes) -> None:
        """The headers leave at once, as TGI's do, and with them a first token that is due at once."""
        rate, wait = _RATE.search(body), _TTFT.search(body)
        per_second = int(rate[1]) if rate else self._rate
        ttft_ns = (int(wait[1]) if wait else self._ttft_ms) * 1_000_000
        stream = Stream(
            transport=self._transport,
            frames=frames,
            tokens=tokens,
            first_due=time.monotonic_ns() + ttft_ns,
            interval=1e9 / per_second,
        )
        self._stream = stream
        if ttft_ns:
            self._transport.write(tgi_shapes.STREAM_HEAD)
        else:
            stream.send(tgi_shapes.STREAM_HEAD)
        if not stream.ended:
            self._wheel.add(stream)


async def serve(port: int, rate: int, ttft_ms: int) -> None:
    """Serves until the process is ended."""
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop)
    server = await loop.create_server(
        lambda: Connection(wheel, rate, ttft_ms), "0.0.0.0", port, backlog=2048, reuse_address=True
    )
    # Why: a collection in the middle of a measurement is a pause that no engine has.
    gc.disable()
    await server.serve_forever()


def main() -> None:
    """Reads the flags and serves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--rate", type=int, default=50, help="tokens per second and stream")
    parser.add_argument("--ttft-ms", type=int, default=40, help="milliseconds before the first token")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.rate, options.ttft_ms))


if __name__ == "__main__":
    main()
