"""Asks over HTTP/1.1, a connection for each request, and notes when the pieces of an event stream arrive."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, cast
from urllib.parse import urlsplit


@dataclass
class Outcome:
    """One request; times in seconds since the load began. ``due``: when it should have been asked."""

    due: float
    asked: float
    pieces: list[float] = field(default_factory=list)
    ended: float = 0.0
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    finish: str = ""
    error: str = ""


class Frames:
    """Takes apart an HTTP/1.1 answer with an event stream as it arrives."""

    def __init__(self) -> None:
        self.status = 0
        self.whole = False
        self._head = b""
        self._chunked = False
        self._raw = b""
        self._body = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The payloads (``data: …``) that are complete with this piece; of another answer its text."""
        if not self.status:
            self._head += data
            head, separator, data = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            self.status = int(head.split(b" ", 2)[1])
            self._chunked = b"transfer-encoding: chunked" in head.lower()
        self._body += self._unchunked(data) if self._chunked else data
        *events, self._body = self._body.replace(b"\r\n", b"\n").split(b"\n\n")
        for event in events:
            for line in event.split(b"\n"):
                if line.startswith(b"data:"):
                    yield line[5:].strip().decode(errors="replace")

    def rest(self) -> str:
        """What came and was no event."""
        return self._body.decode(errors="replace").strip()

    def _unchunked(self, data: bytes) -> bytes:
        self._raw += data
        found = b""
        while not self.whole:
            size, separator, rest = self._raw.partition(b"\r\n")
            length = int(size.split(b";")[0] or b"0", 16) if separator else 0
            if not separator or len(rest) < length + 2:
                break
            self.whole = length == 0
            found, self._raw = found + rest[:length], rest[length + 2 :]
        return found


class Call(asyncio.Protocol):
    """One request over a connection of its own."""

    def __init__(self, request: bytes, outcome: Outcome, now: Callable[[], float]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request, self._outcome, self._now = request, outcome, now
        self._frames = Frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        moment = self._now()
        for payload in self._frames.feed(data):
            if payload == "[DONE]":
                self._end(moment)
                return
            self._take(payload, moment)
        if self._frames.whole:
            self._end(moment)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(self._now())

    def _take(self, payload: str, moment: float) -> None:
        outcome = self._outcome
        try:
            event = json.loads(payload)
        except ValueError:
            outcome.error = f"no JSON: {payload[:100]}"
            return
        if event.get("error"):
            outcome.error = str(event["error"])[:200]
        for choice in event.get("choices") or []:
            if (choice.get("delta") or {}).get("content"):
                outcome.pieces.append(moment)
            outcome.finish = choice.get("finish_reason") or outcome.finish
        if usage := event.get("usage"):
            outcome.prompt_tokens = usage.get("prompt_tokens")
            outcome.answer_tokens = usage.get("completion_tokens")

    def _end(self, moment: float) -> None:
        if self.done.done():
            return
        outcome = self._outcome
        outcome.ended = moment
        if self._frames.status != 200:
            said = self._frames.rest()[:160]
            outcome.error = f"HTTP {self._frames.status}: {said}" if self._frames.status else "no answer"
        elif not outcome.error and not outcome.finish:
            outcome.error = "the answer was cut off"
        self.done.set_result(None)
        self._transport.close()


class Client:
    """Where to ask: every address behind ``hosts`` in turn."""

    def __init__(self, url: str, hosts: list[str], key: str | None) -> None:
        parts = urlsplit(url)
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        names = hosts or [parts.hostname or "127.0.0.1"]
        found = [socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM) for name in names]
        addresses = list(dict.fromkeys(entry[4][0] for entries in found for entry in entries))
        self.addresses = [str(address) for address in addresses]
        self._turn = cycle(self.addresses)
        self._name = parts.hostname
        self._tls = _unverified() if parts.scheme == "https" else None
        credential = f"Authorization: Bearer {key}\r\n" if key else ""
        self._head = f"Host: {parts.netloc}\r\nAccept: */*\r\nConnection: close\r\n{credential}"

    def request(self, method: str, path: str, body: bytes) -> bytes:
        """A request's bytes."""
        about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        return f"{method} {path} HTTP/1.1\r\n{self._head}{about}\r\n".encode() + body

    async def call(self, request: bytes, outcome: Outcome, now: Callable[[], float], patience: float) -> None:
        """Ask once; whatever happens stands in ``outcome``."""
        loop = asyncio.get_running_loop()
        name = self._name if self._tls else None
        try:
            async with asyncio.timeout(patience):
                _, call = await loop.create_connection(
                    lambda: Call(request, outcome, now),
                    next(self._turn),
                    self._port,
                    ssl=self._tls,
                    server_hostname=name,
                )
                await call.done
        except (OSError, TimeoutError) as error:
            outcome.error = outcome.error or f"{type(error).__name__}: {error}"[:160]
            outcome.ended = now()

    async def ask(self, method: str, path: str, body: Any, address: str | None = None) -> dict[str, Any]:
        """A plain question; the status and the text of its answer."""
        content = b"" if body is None else json.dumps(body).encode()
        reader, writer = await asyncio.open_connection(
            address or next(self._turn),
            self._port,
            ssl=self._tls,
            server_hostname=self._name if self._tls else None,
        )
        try:
            writer.write(self.request(method, path, content).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            text = await (reader.readexactly(int(length[1])) if length else reader.read())
        finally:
            writer.close()
        return {"status": int(head.split(b" ", 2)[1]), "text": text.decode(errors="replace")}


def _unverified() -> ssl.SSLContext:
    # why: the certificate may be self-signed and need not name the address that is asked here
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
