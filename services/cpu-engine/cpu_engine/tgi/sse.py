"""Server-sent events in axum's framing: `data: {json}` and a blank line; `:` when idle.

Owns the connection while it streams: when the client goes away, or the server is told to stop, the generator
behind it is cancelled, which ends the work.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import orjson
from starlette.types import Receive, Scope, Send

from cpu_engine.tgi.http import wait_for_disconnect

DONE = b"data: [DONE]\n\n"
_COMMENT = b":\n\n"
KEEP_ALIVE_S = 15.0


def event(data: Mapping[str, object]) -> bytes:
    """One event with a JSON object."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


class EventStream:
    """ASGI response that streams events.

    Args:
        events: encoded events; closed in every case.
        characters: length of the input, for TGI's x-compute-characters.
        keep_alive_s: silence after which a comment is sent, in seconds.
    """

    def __init__(
        self, events: AsyncGenerator[bytes, None], characters: int, keep_alive_s: float = KEEP_ALIVE_S
    ) -> None:
        self._events = events
        self._keep_alive_s = keep_alive_s
        self._headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-cache"),
            (b"x-compute-type", b"cpu"),
            (b"x-compute-characters", str(characters).encode()),
            (b"x-accel-buffering", b"no"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or stop when the client has gone."""
        tasks = {asyncio.create_task(self._send(send)), asyncio.create_task(wait_for_disconnect(receive))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._events.aclose()
        for task in done:
            task.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        while True:
            chunk = await self._next(send)
            await send({"type": "http.response.body", "body": chunk or b"", "more_body": chunk is not None})
            if chunk is None:
                return

    async def _next(self, send: Send) -> bytes | None:
        """The next event, with comments while it is awaited; None at the end."""
        upcoming = asyncio.ensure_future(anext(self._events, None))
        try:
            while not (await asyncio.wait({upcoming}, timeout=self._keep_alive_s))[0]:
                await send({"type": "http.response.body", "body": _COMMENT, "more_body": True})
            return upcoming.result()
        finally:
            upcoming.cancel()
            await asyncio.wait({upcoming})
