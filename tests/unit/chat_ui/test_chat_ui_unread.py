"""The work before an answer is bounded: no question runs the engine unread, none is larger than it may be."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from unit.chat_ui.fake_engine import FakeEngine
from unit.chat_ui.service import ask, asking, event_of, gradio_app_of

from chat_ui import admission, readers
from chat_ui.chat_settings import DEFAULTS
from chat_ui.gradio_internals import QUESTION_ROUTE, STREAM_ROUTE, bytes_held

SESSION = "a1b2c3d4e5"
Json = dict[str, Any]


@pytest.fixture
def queue(app: FastAPI) -> Any:
    return gradio_app_of(app).get_blocks()._queue


@pytest.fixture
async def question(http: aiohttp.ClientSession, url: str) -> Json:
    """The body of a question, as the page posts it."""
    async with http.get(f"{url}/config") as response:
        function, component = event_of(await response.json(), "submit")
    data: list[Any] = [asking("hello"), *DEFAULTS.values()]
    return {"data": data, "fn_index": function, "trigger_id": component, "session_hash": SESSION}


async def post(http: aiohttp.ClientSession, url: str, body: Json) -> tuple[int, str | None]:
    # a file, since the client warns of large bodies in memory
    data: Any = io.BytesIO(json.dumps(body).encode())
    headers = {"Content-Type": "application/json"}
    async with http.post(url + QUESTION_ROUTE, data=data, headers=headers) as response:
        return response.status, response.headers.get("Retry-After")


def stream(http: aiohttp.ClientSession, url: str) -> Any:
    return http.get(url + STREAM_ROUTE, params={"session_hash": SESSION})


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.01)


def kept(queue: Any) -> list[Any]:
    """Everything that Gradio has of the session."""
    by_session = (queue.pending_messages_per_session, queue.pending_event_ids_session)
    return [found[SESSION] for found in by_session if SESSION in found] + list(queue.event_ids_to_events)


async def test_a_question_whose_answer_nobody_reads_is_dropped(
    http: aiohttp.ClientSession,
    url: str,
    engine: FakeEngine,
    queue: Any,
    question: Json,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "ARRIVAL_SECONDS", 0.1)
    assert await post(http, url, question) == (200, None)
    await until(lambda: not kept(queue))
    assert engine.asked == []


async def test_the_engine_is_asked_once_somebody_reads(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, queue: Any, question: Json
) -> None:
    await post(http, url, question)
    await until(lambda: queue.get_active_worker_count() == 1)
    assert engine.asked == []
    async with stream(http, url) as answer:
        assert "The capital is Paris." in await answer.text()


async def test_an_answer_ends_with_its_reader_before_its_first_word_too(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, queue: Any, question: Json
) -> None:
    engine.hold = asyncio.Semaphore(0)
    await post(http, url, question)
    async with stream(http, url):
        await until(lambda: engine.open_streams == 1)
    await until(engine.closed_early.is_set)
    await until(lambda: not kept(queue))


async def test_a_session_has_few_answers_written(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, queue: Any, question: Json
) -> None:
    engine.hold = asyncio.Semaphore(0)
    for _ in range(readers.ANSWERS_OF_A_SESSION + 2):
        await post(http, url, question)
    await until(lambda: len(queue.event_ids_to_events) == readers.ANSWERS_OF_A_SESSION)
    async with stream(http, url):
        await until(lambda: engine.open_streams == readers.ANSWERS_OF_A_SESSION)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param("x" * admission.BODY_BYTES, id="long"),
        pytest.param([[]] * admission.VALUES, id="lists"),
        pytest.param([0] * admission.VALUES, id="numbers"),
    ],
)
async def test_what_takes_too_long_to_read_is_refused_unread(
    http: aiohttp.ClientSession, url: str, queue: Any, question: Json, history: Any
) -> None:
    question["data"][0]["messages"] = history
    assert await post(http, url, question) == (413, None)
    assert not kept(queue)


async def test_a_long_conversation_about_code_is_let_in(http: aiohttp.ClientSession, url: str) -> None:
    history = [("user", 'f([{"a": 1}, {"b": 2}]), ' * 15_000)]
    messages = [message async for message in ask(http, url, "hello", history)]
    assert messages[-1]["msg"] == "process_completed"


async def test_who_finds_no_room_is_told_when_to_come_again(
    http: aiohttp.ClientSession,
    app: FastAPI,
    url: str,
    engine: FakeEngine,
    question: Json,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine.hold = asyncio.Semaphore(0)
    await post(http, url, question)
    async with stream(http, url):
        await until(lambda: engine.open_streams == 1)
        held = bytes_held(gradio_app_of(app).get_blocks())
        assert held > len("hello")
        monkeypatch.setattr(admission, "HELD_BYTES", held + 10)
        assert await post(http, url, question) == (503, str(admission.AGAIN_SECONDS))
    await until(engine.closed_early.is_set)
    engine.hold = None
    monkeypatch.setattr(admission, "HELD_BYTES", 2 * held)
    assert [message async for message in ask(http, url, "hello")][-1]["msg"] == "process_completed"


async def test_one_of_unknown_length_is_refused(http: aiohttp.ClientSession, url: str) -> None:
    async def chunks() -> Any:
        yield b"{}"

    async with http.post(url + QUESTION_ROUTE, data=chunks()) as response:
        assert response.status == 413


@pytest.mark.parametrize("path", ["/gradio_api/run/predict", "/gradio_api/cancel"])
async def test_whatever_is_posted_is_bounded(http: aiohttp.ClientSession, url: str, path: str) -> None:
    async with http.post(url + path, json={"data": [[]] * admission.VALUES}) as response:
        assert response.status == 413


@pytest.mark.timeout(60)
@pytest.mark.parametrize("end", [b"", b"\\", b'"'])
def test_a_text_without_an_end_is_read_once(end: bytes) -> None:
    """A pattern that begins anew at each quote takes an hour for it."""
    text = b'"' + b'\\"' * (admission.BODY_BYTES // 2) + end
    assert admission.values(b"[" * (admission.VALUES + 1) + text) == admission.VALUES + 1


def test_brackets_and_commas_in_texts_are_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "VALUES", 4)
    assert admission.values(b'["[[[[,,,,", "\\"[[[[,,,,", 1]') == 3
    assert admission.values(b"[1,2,3,4,5,6,[]]") == 8
