"""Whose answers are being read: one that nobody reads is not written.

A question is two requests: the page posts it, and then opens the stream that carries its answer. Where the
second never comes, or goes away, the engine would work for nobody, and Gradio would keep what was asked and
answered. It knows sessions and tasks, not questions.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

# why: a page opens the stream one round trip after its question; this is a slow one's
ARRIVAL_SECONDS = 10.0
# Questions without a reader, of all sessions together: one more, and the oldest is given up, whose page has
# had the most time.
UNREAD_MOST = 32
# A page asks one question at a time; one more while a stopped answer ends.
ANSWERS_OF_A_SESSION = 3


class Readers:
    """The streams that are open, and the answers that need one."""

    def __init__(self) -> None:
        self._streams: Counter[str] = Counter()
        self._answers: dict[asyncio.Task[Any], str] = {}
        # in the order in which they came
        self._awaited: dict[asyncio.Future[bool], str] = {}

    def has(self, session: str) -> bool:
        """Whether somebody reads the answers of this session."""
        return session in self._streams

    def is_forsaken(self, session: str) -> bool:
        """Whether nobody reads this session's answers, and none waits for somebody who may."""
        return not self.has(session) and session not in self._under_way()

    @contextmanager
    def reading(self, session: str) -> Iterator[None]:
        """While a stream of this session is open; after the last one its answers are cancelled."""
        self._streams[session] += 1
        _settle([arrival for arrival, whose in self._awaited.items() if whose == session], True)
        try:
            yield
        finally:
            self._streams[session] -= 1
            if not self._streams[session]:
                del self._streams[session]
                for task in [task for task, whose in self._answers.items() if whose == session]:
                    task.cancel()

    @asynccontextmanager
    async def answering(self, session: str) -> AsyncIterator[bool]:
        """Says whether to answer, once somebody reads this session's answers or it is clear that nobody will.

        The task that is inside is cancelled when the reader goes away.
        """
        if self._under_way().count(session) >= ANSWERS_OF_A_SESSION:
            yield False
            return
        if not (self.has(session) or await self._arrives(session)):
            yield False
            return
        task = asyncio.current_task()
        assert task is not None
        self._answers[task] = session
        try:
            yield True
        finally:
            self._answers.pop(task, None)

    def _under_way(self) -> list[str]:
        return [*self._answers.values(), *self._awaited.values()]

    async def _arrives(self, session: str) -> bool:
        arrival: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._awaited[arrival] = session
        _settle(list(self._awaited)[:-UNREAD_MOST], False)
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                return await arrival
        except TimeoutError:
            return False
        finally:
            del self._awaited[arrival]


def _settle(arrivals: list[asyncio.Future[bool]], arrived: bool) -> None:
    for arrival in arrivals:
        if not arrival.done():
            arrival.set_result(arrived)
