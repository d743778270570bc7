"""A page that comes back takes its answer up again, over HTTP; nobody else does, and Stop ends it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from unit.chat_ui.fake_engine import FakeEngine
from unit.chat_ui.service import event_of

from chat_ui.chat_settings import DEFAULTS
from chat_ui.gradio_internals import QUESTION_ROUTE, STREAM_ROUTE

ALICE = {"X-User": "alice"}
IDS = {"conversation": "c" * 16, "turn": "a" * 16}
WHOLE = "The capital is Paris."


@asynccontextmanager
async def asking(
    http: aiohttp.ClientSession, url: str, kind: str, headers: dict[str, str], **ids: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The stream of a page that asks, or comes back."""
    async with http.get(f"{url}/config") as response:
        function, component = event_of(await response.json(), "submit")
    payload = {**IDS, **ids, "kind": kind, "messages": [{"role": "user", "text": "hello"}]}
    session = secrets.token_hex(6)
    body: dict[str, Any] = {"fn_index": function, "trigger_id": component, "session_hash": session}
    body["data"] = [payload, *DEFAULTS.values()]
    async with http.post(url + QUESTION_ROUTE, json=body, headers=headers) as response:
        assert response.status == 200
    async with http.get(url + STREAM_ROUTE, params={"session_hash": session}) as stream:
        yield stream


async def leave_in_the_middle(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, headers: dict[str, str] = ALICE
) -> None:
    """Ask, and go away after the first word."""
    engine.hold = asyncio.Semaphore(1)
    async with asking(http, url, "typed", headers) as stream:
        async for line in stream.content:
            if b"The " in line:
                return


async def answers(stream: aiohttp.ClientResponse) -> list[str]:
    """What a stream says of an answer's text, whole or in additions, to its end."""
    said = []
    async for line in stream.content:
        if line.startswith(b"data:"):
            message = json.loads(line[5:])
            said.append(json.dumps(message.get("output", "")))
            if message["msg"] in ("process_completed", "close_stream", "unexpected_error"):
                return said
    return said


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.01)


def go_on(engine: FakeEngine) -> None:
    assert engine.hold is not None
    for _ in range(10):
        engine.hold.release()


async def test_a_page_that_comes_back_reads_the_rest(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    await leave_in_the_middle(http, url, engine)
    async with asking(http, url, "resumed", ALICE) as stream:
        go_on(engine)
        assert WHOLE in (await answers(stream))[-1]
    assert len(engine.generations) == 1
    assert not engine.closed_early.is_set()


async def test_it_is_written_to_its_end_while_nobody_is_there(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    await leave_in_the_middle(http, url, engine)
    go_on(engine)
    await until(lambda: not engine.open_streams)
    async with asking(http, url, "resumed", ALICE) as stream:
        assert WHOLE in (await answers(stream))[-1]


@pytest.mark.parametrize(
    ("headers", "ids"),
    [
        ({"X-User": "bob"}, {}),
        ({}, {}),
        (ALICE, {"conversation": "b" * 16}),
        (ALICE, {"turn": "b" * 16}),
        (ALICE, {"conversation": "../x"}),
    ],
)
async def test_nobody_else_takes_it_up(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, headers: dict[str, str], ids: dict[str, str]
) -> None:
    await leave_in_the_middle(http, url, engine)
    async with asking(http, url, "resumed", headers, **ids) as stream:
        assert "The " not in "".join(await answers(stream))
    assert len(engine.generations) == 1
    assert engine.open_streams == 1


@pytest.mark.parametrize(("headers", "stopped"), [(ALICE, True), ({"X-User": "bob"}, False), ({}, False)])
async def test_its_person_stops_it_from_wherever_he_is(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, headers: dict[str, str], stopped: bool
) -> None:
    await leave_in_the_middle(http, url, engine)
    async with http.post(f"{url}/stop", json=IDS, headers=headers) as response:
        assert await response.json() == {"stopped": stopped}
    if stopped:
        await asyncio.wait_for(engine.closed_early.wait(), 20)
        async with asking(http, url, "resumed", ALICE) as stream:
            assert "The " not in "".join(await answers(stream))
    assert engine.open_streams == (0 if stopped else 1)


async def test_a_form_of_another_page_stops_nothing(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    await leave_in_the_middle(http, url, engine, {})
    text = {"Content-Type": "text/plain"}
    async with http.post(f"{url}/stop", data=json.dumps(IDS), headers=text) as response:
        assert await response.json() == {"stopped": False}
    assert engine.open_streams == 1
