"""What the tests of the chat page share: a fake engine on a loopback port, its client, and the whole
application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI
from unit.chat_ui.fake_engine import FakeEngine, running
from unit.chat_ui.service import free_port

from chat_ui.app import create_app
from chat_ui.engine import EngineClient
from chat_ui.settings import Settings


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running(FakeEngine()) as fake:
        yield fake


@pytest.fixture
async def client(engine: FakeEngine) -> AsyncIterator[EngineClient]:
    async with EngineClient(engine.url) as made:
        yield made


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def app(engine: FakeEngine, tmp_path: Path, port: int) -> FastAPI:
    # async: without a running event loop Gradio makes loops of its own and leaves them open
    return create_app(Settings(engine.url, tmp_path, "shared", port, "localhost", version="1.2.3"))


@pytest.fixture
async def url(app: FastAPI, port: int) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
