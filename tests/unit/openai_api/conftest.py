"""What the tests of openai-api share: a fake engine on a loopback port, and the service in front of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import uvicorn
from unit.openai_api.fake_engine import FakeEngine, running

from openai_api.app import create_app
from openai_api.settings import Settings


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running(FakeEngine()) as fake:
        yield fake


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def http(engine: FakeEngine, port: int, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose paths are the service's."""
    proof = tmp_path / "proof"
    proof.write_text("0123abcd")
    settings = Settings(
        engine_url=engine.url, model_id="Org/model", max_total_tokens=64, port=port, proof_file=proof
    )

    async def find() -> frozenset[str]:
        return frozenset({engine.url})

    app = create_app(settings, find)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, loop="none"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    server.should_exit = True
    await serving
