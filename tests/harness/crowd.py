"""Many callers at once: people who chat (`chats.py`), visitors of the page, programs that use the API.

Owns an event loop in a thread of its own, so that a test reads from top to bottom while fifty answers grow.
What goes on after a method has returned is seen in the objects that it gave.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp

from harness.chats import HANG_SECONDS, Chatter
from harness.waiting import wait_until

T = TypeVar("T")
COUNTING = "1, 2, 3,"
_BETWEEN_VISITS_SECONDS = 0.05


@dataclass
class Call:
    """One API request; `status` is None before the answer begins, `lost` says what broke it."""

    status: int | None = None
    headers: dict[str, str] | None = None
    received: bytes = b""
    over: bool = False
    lost: str = ""


class Crowd:
    """Callers of one appliance. A context manager: at its end every connection is closed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crowd", daemon=True)
        self._people: list[Chatter] = []
        self._calls: dict[int, asyncio.Task[None]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave(self._people)
        self._run(self._hang_up(list(self._calls.values())))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def arrive(self, count: int) -> list[Chatter]:
        """So many people open the page at the same time."""

        async def arrive() -> list[Chatter]:
            people = [Chatter(self._url, _session()) for _ in range(count)]
            self._people += people
            await _together(person.open_page() for person in people)
            return people

        return self._run(arrive())

    def ask(self, people: Iterable[Chatter], tokens: int, question: str = COUNTING) -> None:
        """Each sends a message, to be answered with at most so many tokens."""
        self._run(_together(person.ask(question, tokens) for person in people))

    def chat(self, count: int, tokens: int) -> list[Chatter]:
        """So many people arrive and ask; returns when every answer has begun to grow."""
        people = self.arrive(count)
        self.ask(people, tokens)
        grow(people)
        return people

    def reload(self, people: Iterable[Chatter]) -> None:
        """Each reloads the page."""
        self._run(_together(person.open_page() for person in people))

    def leave(self, people: Iterable[Chatter]) -> None:
        """Each closes the page, all at the same time."""
        self._run(_together(person.leave() for person in people))

    def call(self, count: int, path: str, body: dict[str, Any]) -> list[Call]:
        """So many API requests at the same time."""

        async def begin() -> list[Call]:
            calls = [Call() for _ in range(count)]
            self._calls |= {id(c): asyncio.create_task(_call(c, self._url + path, body)) for c in calls}
            return calls

        return self._run(begin())

    def hang_up(self, calls: Iterable[Call]) -> None:
        """Their connections are closed, whatever has come."""
        self._run(self._hang_up([self._calls[id(call)] for call in calls]))

    @contextmanager
    def visiting(self) -> Iterator[list[int | str]]:
        """New people open the page, one after the other, until the end of the block.

        Yields:
            The visits so far: each one's status, or what broke it.
        """
        visits: list[int | str] = []
        stopped = threading.Event()

        async def visit() -> None:
            while not stopped.is_set():
                visits.append(await _visit(self._url))
                await asyncio.sleep(_BETWEEN_VISITS_SECONDS)

        task = asyncio.run_coroutine_threadsafe(visit(), self._loop)
        try:
            yield visits
        finally:
            stopped.set()
            task.result(HANG_SECONDS)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(HANG_SECONDS)

    async def _hang_up(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def grow(people: Sequence[Chatter]) -> None:
    """Waits until there is something of each one's answer."""
    wait_until(lambda: all(p.answer.text or p.answer.over for p in people), "every answer grows")


def finish(people: Sequence[Chatter]) -> None:
    """Waits until nobody's answer is being written, whichever way they end."""
    wait_until(lambda: all(p.answer.over for p in people), "every answer is over", deadline_s=HANG_SECONDS)


def broken(people: Iterable[Chatter]) -> list[str]:
    """The newest answers that are not whole, in words."""
    return [str(person.answer) for person in people if not person.answer.whole]


async def _together(work: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*work)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # unsafe: cookies of an address without a name are kept too
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        headers={"Accept-Language": "en-US"},
        timeout=aiohttp.ClientTimeout(total=HANG_SECONDS),
        read_bufsize=2**21,  # one line of Gradio's stream may hold a whole conversation
    )


async def _call(call: Call, url: str, body: dict[str, Any]) -> None:
    try:
        async with _session() as http, http.post(url, json=body) as response:
            call.status, call.headers = response.status, dict(response.headers)
            async for piece in response.content.iter_any():
                call.received += piece
    except (aiohttp.ClientError, TimeoutError) as error:
        call.lost = repr(error)
    finally:
        call.over = True


async def _visit(url: str) -> int | str:
    try:
        async with _session() as http, http.get(url, headers={"Accept": "text/html"}) as response:
            await response.read()
            return response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        return repr(error)
