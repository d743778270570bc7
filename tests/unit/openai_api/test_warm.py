"""Engines that prepare the grammar before they count as ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from openai_api.json_grammar import ANY_JSON_OBJECT
from openai_api.warm import Warmth, addresses, over, warm


class Engines:
    """Stand-ins: which there are, and what they answer to /health and to the grammar."""

    def __init__(self, **generate: Any) -> None:
        self.health: dict[str, Any] = dict.fromkeys(generate, 200)
        self.generate = generate
        self.prepared: list[str] = []
        self.changed = asyncio.Condition()

    async def find(self) -> frozenset[str]:
        """Their names are their URLs."""
        async with self.changed:
            self.changed.notify_all()
        return frozenset(self.generate)

    async def ask(self, url: str, body: Mapping[str, Any] | None, seconds: float) -> int:
        """As `warm` asks."""
        engine, route = url.split("/")
        answer = self.health[engine] if route == "health" else self.generate[engine]
        if body is not None:
            assert body["parameters"]["grammar"] == {"type": "regex", "value": ANY_JSON_OBJECT}
            self.prepared.append(engine)
        if isinstance(answer, asyncio.Event):
            await asyncio.wait_for(answer.wait(), seconds)
            answer = 200
        if isinstance(answer, OSError):
            raise answer
        return int(answer)


@asynccontextmanager
async def _warming(engines: Engines, patience: float = 60, keep: float = 60) -> AsyncIterator[Warmth]:
    warmth = Warmth()
    task = asyncio.create_task(
        warm(engines.ask, warmth, engines.find, poll=0.001, patience=patience, keep=keep)
    )
    yield warmth
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _until(engines: Engines, warmth: Warmth, ready: bool = True) -> None:
    async with asyncio.timeout(10), engines.changed:
        await engines.changed.wait_for(lambda: warmth.is_ready is ready)


async def _rounds(engines: Engines, count: int) -> None:
    for _ in range(count):
        async with asyncio.timeout(10), engines.changed:
            await engines.changed.wait()


async def test_each_engine_prepares_it_once() -> None:
    engines = Engines(a=200, b=200)
    async with _warming(engines) as warmth:
        assert not warmth.is_ready
        await _until(engines, warmth)
        await _rounds(engines, 10)
        assert sorted(engines.prepared) == ["a", "b"]


async def test_one_engine_that_has_is_enough_while_another_is_still_at_it() -> None:
    first, never = asyncio.Event(), asyncio.Event()
    engines = Engines(a=first, b=never, loading=200)
    engines.health["loading"] = ConnectionRefusedError()
    async with _warming(engines) as warmth:
        await _rounds(engines, 10)
        assert not warmth.is_ready
        first.set()
        await _until(engines, warmth)
        assert list(warmth.warming) == ["b"]
        assert "loading" not in engines.prepared


@pytest.mark.parametrize("down", [ConnectionRefusedError(), 503])
async def test_an_engine_that_was_down_prepares_it_again(down: Any) -> None:
    engines = Engines(a=200)
    async with _warming(engines) as warmth:
        await _until(engines, warmth)
        engines.health["a"] = down
        await _until(engines, warmth, ready=False)
        engines.health["a"] = 200
        await _until(engines, warmth)
        assert engines.prepared == ["a", "a"]


async def test_it_is_asked_for_again_so_that_the_engine_does_not_forget_it() -> None:
    engines = Engines(a=200)
    async with _warming(engines, keep=0) as warmth:
        await _until(engines, warmth)
        engines.generate["a"] = ConnectionResetError()
        await _rounds(engines, 10)
        assert warmth.is_ready
        assert len(engines.prepared) > 2


async def test_an_engine_that_is_only_busy_stays_warm() -> None:
    engines = Engines(a=200)
    async with _warming(engines) as warmth:
        await _until(engines, warmth)
        engines.health["a"] = TimeoutError()
        await _rounds(engines, 10)
        assert warmth.is_ready
    assert engines.prepared == ["a"]


async def test_a_refusal_is_tried_again() -> None:
    engines = Engines(a=429)
    async with _warming(engines) as warmth:
        await _rounds(engines, 10)
        assert not warmth.is_ready
        engines.generate["a"] = 200
        await _until(engines, warmth)


@pytest.mark.parametrize("answer", [asyncio.Event, lambda: 429, lambda: 500])
async def test_waiting_has_an_end_and_the_log_says_so(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    engines = Engines(a=answer())
    async with _warming(engines, patience=0.05) as warmth:
        await _until(engines, warmth)
    assert "not waited for any more" in caplog.text


async def test_an_engine_without_grammars_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    engines = Engines(a=422)
    async with _warming(engines) as warmth:
        await _until(engines, warmth)
    assert "takes no grammars" in caplog.text
    assert engines.prepared == ["a"]


async def test_an_engine_that_is_gone_is_forgotten() -> None:
    engines = Engines(a=200)
    async with _warming(engines) as warmth:
        await _until(engines, warmth)
        del engines.generate["a"]
        await _until(engines, warmth, ready=False)


async def test_a_name_server_that_fails_changes_nothing() -> None:
    engines = Engines(a=200)
    calls = 0

    async def find() -> frozenset[str]:
        nonlocal calls
        calls += 1
        if calls > 3:
            await engines.find()
            raise OSError("no name server")
        return await engines.find()

    warmth = Warmth()
    task = asyncio.create_task(warm(engines.ask, warmth, find, poll=0.001))
    await _until(engines, warmth)
    await _rounds(engines, 5)
    assert warmth.is_ready
    task.cancel()


async def test_by_http() -> None:
    import aiohttp
    from aiohttp import web

    asked: list[Any] = []

    async def generate(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.Response(status=429)

    app = web.Application()
    app.router.add_post("/generate", generate)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    (url,) = await addresses("127.0.0.1", port)
    async with aiohttp.ClientSession() as session:
        ask = over(session)
        assert await ask(f"{url}/generate", {"a": 1}, 5) == 429
        assert await ask(f"{url}/health", None, 5) == 404
        await runner.cleanup()
        with pytest.raises(OSError, match="ClientConnector"):
            await ask(f"{url}/health", None, 5)
    assert asked == [{"a": 1}]
