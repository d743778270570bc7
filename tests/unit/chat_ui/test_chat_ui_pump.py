"""The pump: the first piece at once, everything in order, and nothing left running behind a stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from unit.chat_ui.fake_engine import FakeEngine

from chat_ui.chat_settings import ChatSettings
from chat_ui.engine import Ending, EngineClient
from chat_ui.pump import coalesce

FOREVER = 3600.0


async def test_the_first_piece_comes_before_the_second_exists() -> None:
    second = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        yield "first "
        await second.wait()
        yield "second"

    chunks = coalesce(source(), FOREVER)
    assert await anext(chunks) == ("first ", 1)
    second.set()
    assert [chunk async for chunk in chunks] == [("second", 1)]


async def test_pieces_that_come_during_a_rest_are_joined() -> None:
    started = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        yield "a"
        await started.wait()
        for piece in "bcdefg":
            yield piece

    chunks = coalesce(source(), FOREVER)
    assert await anext(chunks) == ("a", 1)
    started.set()
    assert [chunk async for chunk in chunks] == [("bcdefg", 6)]


async def test_nothing_is_lost_or_reordered() -> None:
    async def source() -> AsyncIterator[str]:
        for number in range(1000):
            await asyncio.sleep(0)
            yield f"{number} "

    chunks = [chunk async for chunk in coalesce(source(), 0.0)]
    assert sum(pieces for _, pieces in chunks) == 1000
    text = "".join(chunk for chunk, _ in chunks)
    assert text == "".join(f"{number} " for number in range(1000))


async def test_an_empty_source_gives_nothing() -> None:
    async def source() -> AsyncIterator[str]:
        return
        yield ""

    assert [chunk async for chunk in coalesce(source())] == []


async def test_a_failure_comes_after_all_that_came_before_it() -> None:
    async def source() -> AsyncIterator[str]:
        yield "part"
        raise RuntimeError("cut")

    got: list[str] = []
    with pytest.raises(RuntimeError, match="cut"):
        async for chunk, _ in coalesce(source()):
            got.append(chunk)
    assert got == ["part"]


async def test_closing_it_closes_the_engines_connection(engine: FakeEngine, client: EngineClient) -> None:
    engine.answer = None
    chunks = coalesce(client.generate("prompt", ChatSettings().parameters(10), Ending()))
    assert (await anext(chunks))[0].startswith("tick ")
    await chunks.aclose()
    await asyncio.wait_for(engine.closed_early.wait(), 10)
    assert engine.open_streams == 0


async def test_cancelling_the_task_that_reads_it_closes_the_engines_connection(
    engine: FakeEngine, client: EngineClient
) -> None:
    engine.answer = None
    reading = asyncio.Event()

    async def read() -> None:
        async for _ in coalesce(client.generate("prompt", ChatSettings().parameters(10), Ending())):
            reading.set()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(engine.closed_early.wait(), 10)
