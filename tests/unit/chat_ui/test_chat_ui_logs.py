"""Whatever goes wrong, no log holds a word of what somebody asked."""

from __future__ import annotations

import json
import logging
import secrets
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from unit.chat_ui.fake_engine import FakeEngine
from unit.chat_ui.service import Service, ask, asking, event_of, service

from chat_ui.chat_settings import DEFAULTS
from chat_ui.gradio_internals import QUESTION_ROUTE, STREAM_ROUTE
from chat_ui.logs import FORMAT, WithoutContent

PROMPT = "my-secret-diagnosis"
LAST = ("process_completed", "close_stream", "unexpected_error")
WHOLE = [asking(PROMPT), *DEFAULTS.values()]

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


async def test_a_page_of_another_version_leaves_nothing_in_the_log(
    engine: FakeEngine, tmp_path: Path
) -> None:
    """A tab that was open across an upgrade: fewer values, more, others, for functions that are not there."""
    path = tmp_path / "log"
    with path.open("wb") as log:
        async with service(engine.url, tmp_path, log) as replica, _visitor() as session:
            async with session.get(f"{replica.url}/config") as response:
                known, target = event_of(await response.json(), "submit")
            for data in (
                WHOLE[:2],
                [*WHOLE, PROMPT],
                [PROMPT] * len(WHOLE),
                [{"x": PROMPT}] * len(WHOLE),
                WHOLE,
                {"x": PROMPT},
            ):
                for function in (known, 999, PROMPT):
                    for trigger in (target, 999, PROMPT):
                        await _send(session, replica, data, function, trigger)
            for raw in (PROMPT, f'{{"data": ["{PROMPT}', f'"{PROMPT}"'):
                async with session.post(replica.url + QUESTION_ROUTE, data=raw.encode()) as response:
                    await response.read()
    written = path.read_text()
    assert "ValueError" in written, "Gradio met one of the faults, and that is said"
    assert PROMPT not in written


async def test_an_engine_that_quotes_what_it_refuses_is_not_quoted(
    engine: FakeEngine, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    with path.open("wb") as log:
        async with service(engine.url, tmp_path, log) as replica, aiohttp.ClientSession() as session:
            for refusal in ((422, {"error": PROMPT, "error_type": "validation"}), (500, {"error": PROMPT})):
                engine.refuse["/generate_stream"] = refusal
                async for _ in ask(session, replica.url, PROMPT):
                    pass
    written = path.read_text()
    assert written.count("no whole answer") == 2
    assert PROMPT not in written


@pytest.mark.parametrize("name", ["asyncio", "uvicorn.error", "starlette"])
def test_of_other_packages_lines_and_failures_only_their_kind_is_written(name: str) -> None:
    try:
        try:
            raise KeyError(PROMPT)
        except KeyError as error:
            raise ValueError(f"found {PROMPT}") from error
    except ValueError as error:
        record = logging.LogRecord(
            name, logging.ERROR, "x", 1, f"Task failed\nfuture: {error!r}", None, (ValueError, error, None)
        )
    line, *below = WithoutContent(FORMAT).format(record).splitlines()
    assert line.endswith(f"ERROR {name}: Task failed")
    assert below[0] == "ValueError"
    assert any(part.endswith("KeyError") for part in below)
    assert PROMPT not in "\n".join(below)


def _visitor() -> aiohttp.ClientSession:
    """With a connection of its own for each request: the server closes one on which it found a fault."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))


async def _send(
    session: aiohttp.ClientSession, replica: Service, data: Any, function: Any, trigger: Any
) -> None:
    """As the page does, reading what comes of it."""
    session_hash = secrets.token_hex(6)
    body = {"data": data, "fn_index": function, "trigger_id": trigger, "session_hash": session_hash}
    async with session.post(replica.url + QUESTION_ROUTE, json=body) as response:
        accepted = response.status == 200
        await response.read()
    async with session.post(f"{replica.url}/gradio_api/run/predict", json=body) as response:
        await response.read()
    if not accepted:
        return
    async with session.get(replica.url + STREAM_ROUTE, params={"session_hash": session_hash}) as stream:
        async for line in stream.content:
            if line.startswith(b"data:") and json.loads(line[5:])["msg"] in LAST:
                return
