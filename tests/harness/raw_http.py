"""HTTP as bytes on a socket: sends what no HTTP library would send, and reads every answer that comes back.

Owns the splitting of a connection's bytes into answers, so that a second one is never overlooked.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answer; header names are in lower case, of repeated ones the last counts."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Exchange:
    """Every answer of one connection, in order, and whether the server closed it."""

    answers: list[Answer]
    closed: bool

    @property
    def only(self) -> Answer:
        (answer,) = self.answers
        return answer


def request(method: str, target: str, *fields: str, host: str = "door", body: bytes = b"") -> bytes:
    """The bytes of a request; `fields` are header lines, and `body` brings its Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def basic(name: str, password: str) -> str:
    """The header line with which the sign-in page says who it is."""
    return f"Authorization: Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def lines(line: str, *fields: str, body: str = "") -> bytes:
    """The bytes of a request whose length is said by `fields`, or not, as the caller writes it."""
    return "\r\n".join([f"{line} HTTP/1.1", "Host: door", *fields, "", body]).encode("latin-1")


def exchange(port: int, data: bytes, *, idle_s: float = 0.5, deadline_s: float = 20) -> Exchange:
    """Sends `data` to 127.0.0.1; reads until the server closes, or is silent for `idle_s` after an answer.

    Raises:
        TimeoutError: when no complete answer has come and the server has not closed after `deadline_s`.
    """
    with socket.create_connection(("127.0.0.1", port), deadline_s) as connection:
        # what is refused before all of it was sent has its answer waiting all the same
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        return read(connection, idle_s=idle_s, deadline_s=deadline_s)


def read(connection: socket.socket, *, idle_s: float = 0.5, deadline_s: float = 20) -> Exchange:
    """What `exchange` reads, on a connection of the caller's own.

    Raises:
        TimeoutError: as `exchange`.
    """
    received = b""
    while True:
        answers, rest = _split(received)
        connection.settimeout(idle_s if answers and not rest else deadline_s)
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        except TimeoutError:
            if rest or not answers:
                raise
            return Exchange(answers, closed=False)
        if not piece:
            return Exchange(answers, closed=True)
        received += piece


def answers_in(received: bytes) -> list[Answer]:
    """The complete answers among a connection's bytes."""
    return _split(received)[0]


def ask(port: int, method: str, target: str, *fields: str, host: str = "door", body: bytes = b"") -> Answer:
    """One request on a connection of its own, and its only answer.

    Raises:
        ValueError: when there is not exactly one answer.
    """
    return exchange(port, request(method, target, "Connection: close", *fields, host=host, body=body)).only


@contextmanager
def reading(port: int, method: str, target: str, *fields: str) -> Iterator[Iterator[bytes]]:
    """An answer that goes on, as the pieces in which it comes: at first its head.

    Raises:
        TimeoutError: from what is yielded, when nothing has come for 20 s.
    """
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(request(method, target, *fields))
        yield iter(lambda: connection.recv(65536), b"")


def head_of(pieces: Iterator[bytes]) -> dict[str, str]:
    """The headers of an answer whose pieces begin with its head; names are in lower case."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += next(pieces)
    return _headers(received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:])


def _split(received: bytes) -> tuple[list[Answer], bytes]:
    """The complete answers, and the bytes after them. Interim ones (100 Continue) are no answers."""
    answers: list[Answer] = []
    while True:
        head, end, rest = received.partition(b"\r\n\r\n")
        if not end:
            return answers, received
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = _headers(fields)
        status = int(line.split()[1])
        taken = _take_body(status, headers, rest)
        if taken is None:
            return answers, received
        body, received = taken
        if status >= 200:
            answers.append(Answer(status, headers, body))


def _headers(fields: list[str]) -> dict[str, str]:
    return {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}


def _take_body(status: int, headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes] | None:
    """The body and what follows it; None when it is not all there yet."""
    if status < 200 or status in (204, 304):
        return b"", rest
    if headers.get("transfer-encoding") == "chunked":
        return _take_chunks(rest)
    length = int(headers.get("content-length", len(rest)))
    return (rest[:length], rest[length:]) if len(rest) >= length else None


def _take_chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        size, end, rest = rest.partition(b"\r\n")
        length = int(size, 16) if end else 0
        if not end or len(rest) < length + 2:
            return None
        body, rest = body + rest[:length], rest[length + 2 :]
        if length == 0:
            return body, rest
