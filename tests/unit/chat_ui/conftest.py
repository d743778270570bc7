"""What the tests of the chat page share: a fake engine on a loopback port and the client that talks to it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chat_ui_fake_engine import FakeEngine, running

from chat_ui.engine import EngineClient


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running(FakeEngine()) as fake:
        yield fake


@pytest.fixture
async def client(engine: FakeEngine) -> AsyncIterator[EngineClient]:
    async with EngineClient(engine.url) as made:
        yield made
