"""What the tests of the chat page share: a fake engine on a loopback port and the client that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from unit.chat_ui.fake_engine import FakeEngine, running

from chat_ui.engine import EngineClient


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running(FakeEngine()) as fake:
        yield fake


@pytest.fixture
async def client(engine: FakeEngine) -> AsyncIterator[EngineClient]:
    async with EngineClient(engine.url) as made:
        yield made
