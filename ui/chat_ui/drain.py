"""When a replica that is to stop may close its door, so that scaling down and updates cut nobody's answer.

A question is two requests: the page posts it, and only then opens the stream that carries its answer. A
replica that stopped listening between the two would lose the answer, since only its own queue knows of it.
Streams that are open are uvicorn's business (`server.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import ExitStack
from urllib.parse import parse_qs

import gradio as gr
from starlette.types import ASGIApp, Receive, Scope, Send

from chat_ui.gradio_internals import QUESTION_ROUTE, STREAM_ROUTE, sessions_being_answered
from chat_ui.readers import Readers

# why: a page opens the stream one round trip after its question; one that has not by now went away
SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.01


class Drain:
    """Knows the questions that are being posted and who reads answers; see `DrainWatch`."""

    def __init__(self, demo: gr.Blocks, readers: Readers) -> None:
        self._demo = demo
        self.readers = readers
        self.questions: set[int] = set()

    async def settle(self) -> None:
        """Return in a moment when each answer being written is also being read; at the latest after
        `SETTLE_SECONDS`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                while self.questions or self._unread():
                    await asyncio.sleep(_POLL_SECONDS)

    def _unread(self) -> set[str]:
        """The sessions whose answers are being written, but that have not opened their stream yet."""
        return {session for session in sessions_being_answered(self._demo) if not self.readers.has(session)}


class DrainWatch:
    """ASGI middleware that tells a `Drain` and its `Readers` of the requests that matter to them."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        request = id(scope)
        with ExitStack() as under_way:
            if path == QUESTION_ROUTE:
                self._drain.questions.add(request)
                under_way.callback(self._drain.questions.discard, request)
            elif path == STREAM_ROUTE:
                query = parse_qs(scope["query_string"].decode("latin-1"))
                under_way.enter_context(self._drain.readers.reading(query.get("session_hash", [""])[0]))
            await self._app(scope, receive, send)
