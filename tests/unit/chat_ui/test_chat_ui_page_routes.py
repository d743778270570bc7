"""What the page asks beside its questions: how much of the context it takes, a title, a file's tokens."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from unit.chat_ui.fake_engine import FakeEngine

from chat_ui.titles import TITLE_CHARS

ALICE = {"X-User": "alice", "X-Request-ID": "4fd1"}
HELLO = {"role": "user", "text": "hello there"}
BUSY = (429, {"error": "Model is overloaded", "error_type": "overloaded"})


async def post(
    http: aiohttp.ClientSession, url: str, path: str, body: Any, headers: dict[str, str] = ALICE
) -> tuple[int, Any]:
    async with http.post(url + path, json=body, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.json()


async def test_the_context_is_counted_by_the_engine_for_the_person(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine
) -> None:
    settings = {"system_prompt": "Be brief."}
    counted = await post(http, url, "/count", {"messages": [HELLO], "settings": settings})
    assert counted == (200, {"used": 4, "of": 140, "left_out": ""})
    assert engine.asked == [("/info", "alice", "4fd1"), ("/chat_tokenize", "alice", "4fd1")]


async def test_what_would_be_left_out_is_said_in_the_persons_language(
    http: aiohttp.ClientSession, url: str
) -> None:
    answer = {"role": "assistant", "text": "word " * 60}
    talk = [HELLO, answer, {"role": "user", "text": "word " * 60}]
    asked = {"messages": talk, "settings": {"system_prompt": ""}}
    _, counted = await post(http, url, "/count", asked, {"Accept-Language": "zh-CN"})
    assert counted["left_out"] == "较早的消息未被使用：共 3 条，其中 2 条超出了模型的上下文长度。"
    long = [{"role": "user", "text": "word " * 200}]
    _, counted = await post(http, url, "/count", {"messages": long, "settings": {"system_prompt": ""}})
    assert counted["used"] == 200
    assert "too long: 200 tokens" in counted["left_out"]


@pytest.mark.parametrize(
    "body", [{}, {"messages": 5}, {"messages": [{"role": "assistant", "text": "x"}]}, []]
)
async def test_a_conversation_without_a_question_is_counted_too(
    http: aiohttp.ClientSession, url: str, body: Any
) -> None:
    status, counted = await post(http, url, "/count", body)
    assert (status, counted["of"]) == (200, 140)


@pytest.mark.parametrize("path", ["/count", "/title"])
async def test_without_the_engine_nothing_is_said(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, path: str
) -> None:
    engine.refuse |= {"/info": BUSY, "/generate_stream": BUSY}
    assert await post(http, url, path, {"messages": [HELLO]}) == (503, {})


@pytest.mark.parametrize(
    ("written", "title"),
    [
        (["The ", "capital ", "of ", "France"], "The capital of France"),
        (['"', "Paris", '."', "\n", "More"], "Paris"),
        (["标题：", "法国的首都", "。"], "法国的首都"),
        (["x" * 100], "x" * TITLE_CHARS),
        ([" \n"], ""),
    ],
)
async def test_the_model_writes_a_title(
    http: aiohttp.ClientSession, url: str, engine: FakeEngine, written: list[str], title: str
) -> None:
    engine.answer = written
    talk = [HELLO, {"role": "assistant", "text": "General greeting"}]
    assert await post(http, url, "/title", {"messages": talk}) == (200, {"title": title})
    (request,) = engine.generations
    assert "user: hello there\n\nassistant: General greeting" in request["inputs"]
    assert request["parameters"]["max_new_tokens"] == 24


async def test_nothing_has_no_title(http: aiohttp.ClientSession, url: str, engine: FakeEngine) -> None:
    assert await post(http, url, "/title", {"messages": []}) == (200, {"title": ""})
    assert engine.generations == []
