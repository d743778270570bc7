"""Sends a streamed answer as it comes.

Owns the connection while it streams: the status is that of the first thing the engine says, so the headers
wait for it; when the client goes away the engine is left, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from openai_api.engine import SILENCE_SECONDS, Engine
from openai_api.errors import ApiError
from openai_api.frames import DONE, Frames, event
from openai_api.http import while_connected

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class StreamedAnswer:
    """ASGI response.

    Args:
        path: the engine's route, and `body` what it is asked.
        frames: what translates its stream.
        complete: asks for what the engine did not tell, before the last frames are made; returns frames.
    """

    def __init__(
        self,
        engine: Engine,
        path: str,
        body: Mapping[str, Any],
        caller: Mapping[str, str],
        frames: Frames,
        complete: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._engine, self._path, self._body, self._caller = engine, path, body, caller
        self._frames = frames
        self._complete = complete
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or stop when the client has gone.

        Raises:
            ApiError: before anything was sent.
        """
        with suppress(ClientDisconnect):
            await while_connected(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        frames = self._frames
        try:
            async with self._engine.asked(self._path, self._body, self._caller, SILENCE_SECONDS) as response:
                async for data in response.content.iter_any():
                    if made := frames.feed(data):
                        await self._give(send, made, True)
                    if frames.over and not frames.is_done:
                        break
            frames.close()
        except ApiError as error:
            frames.error = error
        if frames.error is None:
            more = await self._complete()
            await self._give(send, more + frames.end(), False)
        elif self._has_begun:
            await self._give(send, event(frames.error.body()) + DONE, False)
        else:
            raise frames.error

    async def _give(self, send: Send, data: bytes, is_more: bool) -> None:
        if not self._has_begun:
            self._has_begun = True
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": data, "more_body": is_more})
