"""A replica stops listening only when nobody is between his question and his answer's stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from unit.chat_ui.service import free_port, listens

from chat_ui import drain
from chat_ui.drain import Drain, DrainWatch
from chat_ui.gradio_internals import QUESTION_ROUTE, STREAM_ROUTE
from chat_ui.readers import Readers
from chat_ui.server import Server


@pytest.fixture
def events() -> dict[str, Any]:
    """Gradio's running events by their ids."""
    return {}


@pytest.fixture
def made(events: dict[str, Any]) -> Drain:
    demo: Any = SimpleNamespace(_queue=SimpleNamespace(event_ids_to_events=events))
    return Drain(demo, Readers())


def writing(session: str, alive: bool = True) -> SimpleNamespace:
    return SimpleNamespace(session_hash=session, alive=alive)


@asynccontextmanager
async def request(made: Drain, path: str, query: str = "") -> AsyncIterator[None]:
    """A request of the page that is being answered."""
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await answered.wait()

    scope = {"type": "http", "path": path, "query_string": query.encode()}
    unused: Any = None
    task = asyncio.create_task(DrainWatch(app, made)(scope, unused, unused))
    await arrived.wait()
    yield
    answered.set()
    await task


async def waits(made: Drain) -> bool:
    """Whether `settle` is still waiting after it has looked."""
    settling = asyncio.create_task(made.settle())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    still = not settling.done()
    settling.cancel()
    await asyncio.gather(settling, return_exceptions=True)
    return still


async def test_an_idle_replica_settles_at_once(made: Drain) -> None:
    assert not await waits(made)


async def test_a_question_under_way_is_waited_for(made: Drain) -> None:
    async with request(made, QUESTION_ROUTE):
        assert await waits(made)
    assert not await waits(made)


async def test_an_answer_is_waited_for_until_it_is_being_read(made: Drain, events: dict[str, Any]) -> None:
    events["1"] = writing("abc")
    assert await waits(made)
    async with request(made, STREAM_ROUTE, "session_hash=other"):
        assert await waits(made)
    async with request(made, STREAM_ROUTE, "session_hash=abc"):
        assert not await waits(made)
    assert await waits(made)


async def test_an_answer_that_nobody_wants_any_more_is_not_waited_for(
    made: Drain, events: dict[str, Any]
) -> None:
    events["1"] = writing("abc", alive=False)
    assert not await waits(made)


async def test_other_requests_are_not_waited_for(made: Drain) -> None:
    async with request(made, "/status"):
        assert not await waits(made)


async def test_a_page_that_went_away_is_given_up(
    made: Drain, events: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "SETTLE_SECONDS", 0.0)
    events["1"] = writing("abc")
    await asyncio.wait_for(made.settle(), 10)


async def test_the_server_listens_until_the_drain_has_settled(
    made: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, settled = asyncio.Event(), asyncio.Event()

    async def settle() -> None:
        asked.set()
        await settled.wait()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody asks")

    monkeypatch.setattr(made, "settle", settle)
    port = free_port()
    server = Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning"), made)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:
            await asyncio.sleep(0.01)
        server.should_exit = True
        await asked.wait()
        assert await listens(port)
        settled.set()
        await serving
    assert not await listens(port)
