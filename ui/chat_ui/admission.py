"""Which questions are let in: what one brings, and what all of them hold together, is bounded before anything
is made of it.

nginx bounds how often a person asks and how large a request is; how much of a replica it takes, it cannot
see. A megabyte of a conversation is read in milliseconds, one of nothing but brackets takes the event loop
for a second, and everybody's answers wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat_ui.files import FILES_ROUTE

# as nginx has it for questions (nginx/routes): about ten times what fits a model
BODY_BYTES = 2**20
# A message is about a dozen, so a few thousand messages.
VALUES = 40_000
# Of all questions that are being answered. In memory each is there about four times, as it came, as text, as
# what is shown and on its way out: a quarter of the replica's mem_limit.
HELD_BYTES = 64 * 2**20
AGAIN_SECONDS = 5

# Possessive, and one without an end goes to the end: linear whatever the text is.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


class Admission:
    """ASGI middleware before Gradio, for whatever is posted but files, which have bounds of their own.

    `held` gives the bytes that the questions being answered came with.
    """

    def __init__(self, app: ASGIApp, held: Callable[[], int]) -> None:
        self._app = app
        self._held = held
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] == FILES_ROUTE:
            await self._app(scope, receive, send)
            return
        length = _length(scope)
        if length is None or length > BODY_BYTES:
            await _refuse(413, "A question is at most 1 MiB, and says how large it is.", scope, receive, send)
            return
        full = self._held() + self._arriving + length > HELD_BYTES
        self._arriving += length
        try:
            # read in any case: a connection with something left in it could not be used again
            body = await _read(receive)
            if body is None:
                return
            if full:
                await _refuse(503, "This replica has no room for one more question.", scope, receive, send)
            elif values(body) > VALUES:
                await _refuse(413, "The conversation has too many parts.", scope, receive, send)
            else:
                await self._app(scope, _Replay(body, receive), send)
        finally:
            self._arriving -= length


def values(body: bytes) -> int:
    """About how many values a JSON text holds, without reading it; brackets and commas in texts are none."""
    found = _separators(body)
    return _separators(_STRING.sub(b"", body)) if found > VALUES else found


def _separators(body: bytes) -> int:
    return sum(body.count(character) for character in (b",", b"[", b"{"))


def _length(scope: Scope) -> int | None:
    headers = Headers(scope=scope)
    stated = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
    return int(stated) if re.fullmatch("[0-9]{1,12}", stated) else None


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when the client went away before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


class _Replay:
    """Gives the body that was read, then whatever else comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}


async def _refuse(status: int, message: str, scope: Scope, receive: Receive, send: Send) -> None:
    """In the shape of nginx's own refusals, which the page's script reads (static/refusals.js)."""
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = str(AGAIN_SECONDS)
    await JSONResponse({"error": message}, status, headers)(scope, receive, send)
