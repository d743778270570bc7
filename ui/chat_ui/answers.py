"""Answers that are being written, apart from whoever reads them: one goes on while its page is away, and the
page that comes back takes it up again.

An answer belongs to a person and a conversation, and is found under both names only. One that nobody reads
ends after some minutes, and is forgotten some minutes after its end; how many there are without a reader, of
one person and of all, and how much text they hold, is bounded. What an answer's views are is its writer's
affair.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

# how long an answer is written that nobody reads, and then kept
LONE_SECONDS = 300.0
KEPT_SECONDS = 600.0
# answers without a reader: of one person, and of all together; one more, and the oldest goes
LONE_OF_A_PERSON = 4
LONE_MOST = 64
LONE_BYTES = 32 * 2**20

# None is nobody in particular, where people are not known
Owner = str | None
View = TypeVar("View")


class Answer(Generic[View]):
    """One answer: its latest view, and who reads it; `turn` is what its page knows it by."""

    def __init__(self, owner: Owner, conversation: str, turn: str, size: Callable[[View], int]) -> None:
        self.owner = owner
        self.conversation = conversation
        self.turn = turn
        self.readers = 0
        self.task: asyncio.Task[None] | None = None
        self._size = size
        self._view: View | None = None
        self._number = 0
        self._news = asyncio.Event()
        self.limit: asyncio.TimerHandle | None = None

    @property
    def is_written(self) -> bool:
        """Whether there is nothing more to come."""
        return self.task is None or self.task.done()

    @property
    def bytes(self) -> int:
        return 0 if self._view is None else self._size(self._view)

    async def write(self, views: AsyncGenerator[View, None]) -> None:
        """Take over each view as it comes."""
        async with aclosing(views):
            async for view in views:
                self._view = view
                self._number += 1
                self.tell()

    async def views(self) -> AsyncGenerator[View, None]:
        """The latest view and each newer one; a reader who is slow misses some, but never the last."""
        seen = 0
        while True:
            news, written = self._news, self.is_written
            if self._number > seen and self._view is not None:
                seen = self._number
                yield self._view
                continue
            if written:
                return
            await news.wait()

    def tell(self) -> None:
        """Wake whoever waits for something new."""
        self._news.set()
        self._news = asyncio.Event()


class Answers(Generic[View]):
    """The answers of one replica. `size` says how many bytes a view holds."""

    def __init__(self, size: Callable[[View], int]) -> None:
        self._size = size
        # the latest of each conversation, in the order in which they began
        self._found: dict[tuple[Owner, str], Answer[View]] = {}
        self._all: set[Answer[View]] = set()

    def begin(
        self, owner: Owner, conversation: str, turn: str, views: AsyncGenerator[View, None]
    ) -> Answer[View]:
        """Have an answer written from now on; read it with `read`. It takes the place of the conversation's
        former one.
        """
        answer = Answer(owner, conversation, turn, self._size)
        former = self._found.pop((owner, conversation), None)
        self._found[owner, conversation] = answer
        self._all.add(answer)
        if former is not None and not former.readers:
            self._drop(former)
        answer.task = asyncio.create_task(answer.write(views))
        answer.task.add_done_callback(lambda _: self._over(answer))
        self._settle(answer)
        return answer

    def find(self, owner: Owner, conversation: str, turn: str) -> Answer[View] | None:
        """An answer, whether it is still being written or not, if it is the latest of this conversation."""
        answer = self._found.get((owner, conversation))
        return answer if answer is not None and answer.turn == turn else None

    async def read(self, answer: Answer[View]) -> AsyncGenerator[View, None]:
        """Its views, from the latest on. Closing the generator leaves the answer to be written."""
        answer.readers += 1
        self._settle(answer)
        try:
            async with aclosing(answer.views()) as views:
                async for view in views:
                    yield view
        finally:
            answer.readers -= 1
            self._settle(answer)

    def end(self, answer: Answer[View]) -> None:
        """Its person wants no more of it."""
        self._drop(answer)

    async def close(self) -> None:
        """End all of them."""
        tasks = [answer.task for answer in self._all if answer.task is not None]
        for answer in list(self._all):
            self._drop(answer)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, answer: Answer[View]) -> None:
        answer.tell()
        self._settle(answer)

    def _settle(self, answer: Answer[View]) -> None:
        """Give it the time that it has: none while somebody reads it, or while it has no task yet."""
        if answer.limit is not None:
            answer.limit.cancel()
            answer.limit = None
        if answer not in self._all or answer.readers:
            return
        if answer.is_written and self._found.get((answer.owner, answer.conversation)) is not answer:
            self._drop(answer)
            return
        seconds = KEPT_SECONDS if answer.is_written else LONE_SECONDS
        late = self._drop if answer.is_written else self._stop
        answer.limit = asyncio.get_running_loop().call_later(seconds, late, answer)
        self._make_room()

    def _make_room(self) -> None:
        lone = [answer for answer in self._found.values() if not answer.readers]
        for owner in {answer.owner for answer in lone} - {None}:
            own = [answer for answer in lone if answer.owner == owner]
            for answer in own[:-LONE_OF_A_PERSON]:
                self._drop(answer)
        lone = [answer for answer in lone if answer in self._all]
        while len(lone) > LONE_MOST or sum(answer.bytes for answer in lone) > LONE_BYTES:
            self._drop(lone.pop(0))

    @staticmethod
    def _stop(answer: Answer[View]) -> None:
        """What it has is kept."""
        if answer.task is not None:
            answer.task.cancel()

    def _drop(self, answer: Answer[View]) -> None:
        self._all.discard(answer)
        if self._found.get((answer.owner, answer.conversation)) is answer:
            del self._found[answer.owner, answer.conversation]
        if answer.limit is not None:
            answer.limit.cancel()
            answer.limit = None
        self._stop(answer)
