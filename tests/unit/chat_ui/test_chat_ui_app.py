"""The assembled application over HTTP: its routes, what Gradio offers, and that nothing calls home."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import aiohttp
import pytest
from fastapi import FastAPI
from unit.chat_ui.fake_engine import FakeEngine
from unit.chat_ui.service import answered, ask, event_of, gradio_app_of

from chat_ui import view_files
from chat_ui.gradio_internals import STREAM_ROUTE, sessions_being_answered
from chat_ui.page import app_id


async def config(http: aiohttp.ClientSession, url: str) -> dict[str, object]:
    async with http.get(f"{url}/config") as response:
        return dict(await response.json())


async def test_health_and_status(http: aiohttp.ClientSession, url: str, tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps({"stage": "ready"}))
    async with http.get(f"{url}/healthz") as response:
        assert (response.status, await response.text()) == (200, "ok")
    async with http.get(f"{url}/status") as response:
        assert response.headers["Cache-Control"] == "no-store"
        document = await response.json()
    assert (document["version"], document["state"]) == ("1.2.3", "ready")
    assert document["ui"] == {"replicas": 1, "healthy": 1}


@pytest.mark.parametrize(
    ("headers", "user"),
    [({}, None), ({"X-User": "alice"}, "alice"), ({"x-user": "bob"}, "bob"), ({"X-User": "a" * 129}, None)],
)
async def test_the_page_can_ask_who_is_signed_in(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], user: str | None
) -> None:
    async with http.get(f"{url}/whoami", headers=headers) as response:
        assert await response.json() == {"user": user}
        assert response.headers["Cache-Control"] == "no-store"


async def test_the_engine_is_asked_for_the_person_whom_nginx_named(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    async for _ in ask(http, url, "hello", headers={"X-User": "alice", "X-Request-ID": "4fd1"}):
        pass
    named = [(path, "alice", "4fd1") for path in ("/info", "/chat_tokenize", "/generate_stream")]
    assert engine.asked == named


async def test_without_a_name_the_engine_is_asked_for_nobody(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    async for _ in ask(http, url, "hello"):
        pass
    assert {(user, request) for _, user, request in engine.asked} == {(None, None)}


async def test_the_engine_is_told_the_conversation(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    async for _ in ask(http, url, "hello", None, {"X-Conversation-ID": "mine"}, "0123456789abcdef"):
        pass
    assert set(engine.conversations) == {"0123456789abcdef"}
    engine.conversations.clear()
    async for _ in ask(http, url, "hello", None, {"X-Conversation-ID": "mine"}, "../engine"):
        pass
    assert set(engine.conversations) == {None}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("shape", ["openai", "tgi"])
async def test_the_engines_absence_is_told_in_each_shape(
    http: aiohttp.ClientSession, url: str, tmp_path: Path, method: str, shape: str
) -> None:
    model = {"stage": "downloading", "message": "shard 1 of 4", "eta_s": 20}
    (tmp_path / "status.json").write_text(json.dumps(model))
    async with http.request(method, f"{url}/engine-unavailable/{shape}") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "20")
        body = await response.json()
    said = body["error"]["message"] if shape == "openai" else body["error"]
    assert said == "The engine is not available (stage: downloading): shard 1 of 4"


async def test_a_question_is_answered_over_gradios_queue(http: aiohttp.ClientSession, url: str) -> None:
    messages = [message async for message in ask(http, url, "What is the capital?")]
    assert answered(messages[-1]) == "The capital is Paris."
    assert messages[-1]["success"] is True


async def test_the_conversation_comes_from_the_browser(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    history = [("user", "My name is Ann."), ("assistant", "Hello Ann.")]
    async for _ in ask(http, url, "What is my name?", history):
        pass
    assert [message["content"] for message in engine.tokenized[-1]] == [
        "My name is Ann.",
        "Hello Ann.",
        "What is my name?",
    ]


async def test_an_update_says_what_is_new_and_not_the_conversation_again(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    engine.answer, engine.delay = [f"word{n} " for n in range(30)], 0.02
    history = [("user", "once"), ("assistant", "x" * 50_000)]
    updates = [
        json.dumps(message)
        async for message in ask(http, url, "What?", history)
        if message["msg"] == "process_generating"
    ]
    assert len(updates) > 5
    assert max(len(update) for update in updates) < 2000
    assert sum(update.count("word0 ") for update in updates) == 1


async def test_no_function_is_public_or_skips_the_queue(http: aiohttp.ClientSession, url: str) -> None:
    made = await config(http, url)
    dependencies = made["dependencies"]
    assert isinstance(dependencies, list)
    assert all(dependency["api_visibility"] == "private" for dependency in dependencies)
    function, component = event_of(made, "submit")
    body = {"data": [{}, "", 1, 0.5, 1, 1], "fn_index": function, "trigger_id": component}
    async with http.post(f"{url}/gradio_api/run/predict", json=body) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "path",
    ["/docs", "/redoc", "/openapi.json", "/gradio_api/runs", "/monitoring", "/gradio_api/heartbeat/abc"],
)
async def test_gradios_extras_are_off(http: aiohttp.ClientSession, url: str, path: str) -> None:
    async with http.get(url + path) as response:
        assert response.status in (403, 404)


async def test_files_are_not_taken(http: aiohttp.ClientSession, url: str) -> None:
    form = aiohttp.FormData()
    form.add_field("files", b"more than a byte", filename="x.txt")
    async with http.post(f"{url}/gradio_api/upload", data=form) as response:
        assert response.status == 413


async def test_the_page_loads_nothing_from_elsewhere(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/") as response:
        page = await response.text()
    async with http.get(f"{url}/theme.css") as response:
        page += await response.text()
    loaded = re.findall(r"""(?:src|href)=["']?(https?:)?//|url\(["']?(https?:)?//|@import""", page)
    assert loaded == []
    made = await config(http, url)
    assert (made["analytics_enabled"], made["footer_links"], made["run_history"]) == (False, [], False)
    assert made["stylesheets"] == []
    assert made["connect_heartbeat"] is False


async def test_the_page_is_small_and_an_event_stream_is_not_compressed(
    http: aiohttp.ClientSession, url: str
) -> None:
    async with http.get(f"{url}/", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
    async with http.get(
        f"{url}{STREAM_ROUTE}", params={"session_hash": "abc"}, headers={"Accept-Encoding": "gzip"}
    ) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert "Content-Encoding" not in response.headers


async def test_the_view_is_kept_by_browsers_as_long_as_it_is_the_same(
    http: aiohttp.ClientSession, url: str
) -> None:
    address = view_files.address("main.js")
    async with http.get(f"{url}/{address}") as response:
        assert response.headers["Content-Type"].startswith("text/javascript")
        assert response.headers["Content-Encoding"] == "gzip"
        assert "immutable" in response.headers["Cache-Control"]
        assert await response.read() == (view_files.FILES / "main.js").read_bytes()
    async with http.get(f"{url}/view/0123/main.js") as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    async with http.get(f"{url}/view/0123/..%2f..%2fpage.py") as response:
        assert response.status == 404


async def test_replicas_with_one_secret_are_one_app(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/gradio_api/app_id") as response:
        found = (await response.json())["app_id"]
    assert found == app_id("shared") != app_id("other")
    assert found < 2**53


async def test_a_replica_knows_whose_answers_it_is_writing(
    http: aiohttp.ClientSession, app: FastAPI, url: str, engine: FakeEngine
) -> None:
    engine.hold = asyncio.Semaphore(1)
    blocks = gradio_app_of(app).get_blocks()
    written: set[str] = set()
    async for message in ask(http, url, "hello"):
        if message["msg"] == "process_generating" and not written:
            written = sessions_being_answered(blocks)
            assert len(written) == 1
            for _ in range(10):
                engine.hold.release()
    assert written
    async with asyncio.timeout(10):
        while sessions_being_answered(blocks):  # emptied just after the last message was sent
            await asyncio.sleep(0.01)


async def test_nothing_of_a_conversation_stays_on_the_server(
    http: aiohttp.ClientSession, app: FastAPI, url: str
) -> None:
    async for _ in ask(http, url, "unforgettable"):
        pass
    gradio_app = gradio_app_of(app)
    sessions = gradio_app.state_holder.session_data.values()
    assert "unforgettable" not in json.dumps([session.config_values for session in sessions], default=str)
    blocks = gradio_app.get_blocks()
    assert not any(blocks.pending_diff_streams.values())
    async with asyncio.timeout(10):
        while blocks._queue.event_ids_to_events:  # emptied just after the last message was sent
            await asyncio.sleep(0.01)
    assert all(queue.empty() for queue in blocks._queue.pending_messages_per_session.values())
