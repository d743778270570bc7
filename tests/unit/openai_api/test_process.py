"""The service as a process: its settings, its end, and what it writes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from unit.openai_api import recorded
from unit.openai_api.fake_engine import FakeEngine, token

import openai_api
from harness.stack import REPO
from openai_api.errors import SettingsError
from openai_api.settings import Settings, from_environment

SOURCE = str(Path(openai_api.__file__).parents[1])
SECRET = "a-word-that-nobody-else-says"
ASKED = {"messages": [{"role": "user", "content": SECRET}], "stream": True}


@asynccontextmanager
async def service(engine_url: str, port: int, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start it and wait until it answers; killed at the end if it still runs."""
    settings = {"ENGINE_URL": engine_url, "LISTEN_PORT": str(port), "ENGINE_HOST_NAME": "localhost"}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "openai_api"),
            env={**os.environ, "PYTHONPATH": SOURCE, **settings},
            stdout=output,
            stderr=output,
        )
    try:
        async with asyncio.timeout(30):
            while not await _listens(port):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_running_answers_end_before_it_does(engine: FakeEngine, port: int, tmp_path: Path) -> None:
    engine.stream = [token(SECRET), None, token("two", '"stop"') + b"data: [DONE]\n\n"]
    async with service(engine.url, port, tmp_path / "log") as process, aiohttp.ClientSession() as session:
        async with session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=ASKED) as response:
            await response.content.readuntil(b"\n\n")
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                while await _listens(port):
                    await asyncio.sleep(0.05)
            engine.go_on.set()
            assert recorded.events(await response.read())[-1] == "[DONE]"
        async with asyncio.timeout(10):
            assert await process.wait() == 0


async def test_what_it_writes_has_nobodys_words_in_it(engine: FakeEngine, port: int, tmp_path: Path) -> None:
    """Not where something fails, either: an engine that breaks off, answers nonsense, or is not there."""
    log = tmp_path / "log"
    async with service(engine.url, port, log) as process, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        for piece in (token(SECRET), SECRET.encode() + b"\n\n"):
            engine.stream = [piece, ConnectionError()]
            async with session.post(url, json=ASKED) as response:
                await response.read()
        engine.answer = (200, {"choices": SECRET})
        async with session.post(url, json={**ASKED, "stream": False}) as response:
            assert response.status == 500
        process.terminate()
        await process.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["level"] for line in lines if "broke off" in line["message"]] == ["WARNING", "WARNING"]
    assert SECRET not in log.read_text()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ENGINE_URL", "nginx:8088", "an http(s) URL"),
        ("LISTEN_PORT", "0", "from 1 to 65535"),
        ("MAX_TOTAL_TOKENS", "many", "a whole number"),
        ("LOG_FORMAT", "xml", "json or text"),
    ],
)
def test_a_setting_that_is_none_is_named(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment({name: value})
    assert name in str(refused.value)
    assert expected in str(refused.value)
    assert value in str(refused.value)


def test_it_ends_with_a_setting_that_is_none() -> None:
    environment = {**os.environ, "PYTHONPATH": SOURCE, "LISTEN_PORT": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "openai_api"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_what_is_empty_counts_as_unset() -> None:
    names = ("ENGINE_URL", "MODEL_ID", "MAX_TOTAL_TOKENS", "LISTEN_PORT", "LOG_FORMAT")
    assert from_environment(dict.fromkeys(names, "")) == Settings()
    found = from_environment(
        {"ENGINE_URL": "http://other:8088/engine/", "MODEL_ID": "a/b", "LOG_FORMAT": "text"}
    )
    assert found == Settings(engine_url="http://other:8088/engine", model_id="a/b", log_as_json=False)


def test_without_a_setting_the_engine_is_where_the_appliance_has_it() -> None:
    assert f"ENGINE_URL: {Settings().engine_url}\n" in (REPO / "docker-compose.yml").read_text()
