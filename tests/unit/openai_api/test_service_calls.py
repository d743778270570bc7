"""Calls of tools over HTTP: what the engine leaves out of them, does not count, or cuts."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from unit.openai_api import recorded
from unit.openai_api.asking import ASKED, CHAT, DONE, STREAMED, stream
from unit.openai_api.fake_engine import WHOLE, FakeEngine
from unit.openai_api.streaming import tool_frame

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def whole_call(arguments: str) -> dict[str, Any]:
    function = {"description": None, "name": "f", "arguments": arguments}
    message = {"role": "assistant", "tool_calls": [{"id": "0", "type": "function", "function": function}]}
    return {**WHOLE, "choices": [{**WHOLE["choices"][0], "message": message}]}


@pytest.mark.parametrize(
    ("pieces", "left_out"), [(["{", ""], True), (["{", " }"], True), (["{", ' "city": "Rome"}'], False)]
)
async def test_arguments_that_the_engine_left_out_of_a_stream_are_asked_for(
    http: aiohttp.ClientSession, engine: FakeEngine, pieces: list[str], left_out: bool
) -> None:
    engine.stream = [*(tool_frame(None if at else "f", piece) for at, piece in enumerate(pieces)), DONE]
    engine.answer = (200, whole_call('{"city":"Rome"}'))
    tools = [{"type": "function", "function": {"name": "f", "parameters": CITY}}]
    *events, _ = await stream(http, {**STREAMED, "tools": tools, "seed": 7})
    calls = [call for one in events for call in one["choices"][0]["delta"].get("tool_calls", [])]
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Rome"}
    assert [one["choices"][0]["finish_reason"] for one in events][-2:] == [None, "tool_calls"]
    again = [body for _, _, body in engine.asked][1:]
    assert [(body["tool_choice"]["function"]["name"], body["seed"]) for body in again] == [
        ("f", 7)
    ] * left_out
    assert not any("stream" in body for body in again)


async def test_arguments_that_cannot_be_had_leave_the_stream_its_end(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    engine.stream = [tool_frame("f", "{"), None, DONE]
    tools = [{"type": "function", "function": {"name": "f", "parameters": CITY}}]
    async with http.post(CHAT, json={**STREAMED, "tools": tools}) as response:
        await response.content.readuntil(b"\n\n")
        engine.answer = (503, {"error": "Overloaded", "error_type": "overloaded"})
        engine.go_on.set()
        *events, _ = recorded.events(await response.read())
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_the_usage_of_a_streamed_call_is_counted(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    engine.stream = [recorded.body("chat tools, choice required, stream")]
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    asked = {**STREAMED, "tools": tools, "stream_options": {"include_usage": True}}
    events = await stream(http, asked)
    assert events[-2]["choices"] == []
    assert events[-2]["usage"]["prompt_tokens"] == 2
    counted = [(path, body.get("tools"), body.get("inputs")) for path, _, body in engine.asked[1:]]
    shown = [
        {
            "type": "function",
            "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
        }
    ]
    assert counted == [
        ("/chat_tokenize", shown, None),
        ("/tokenize", None, '{"function":{"_name":"get_weather","city":"Paris"}}'),
    ]


async def test_a_call_that_was_cut(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    words = (
        "Tool error: Failed to parse generated text: EOF while parsing a string at line 1 column 40 "
        + json.dumps('{"function": {"_name": "f", "a": "ü\n')
    )
    engine.answer = (422, {"error": words, "error_type": "tool_error"})
    asked = {**ASKED, "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}
    async with http.post(CHAT, json=asked) as response:
        choice = (await response.json())["choices"][0]
    assert response.headers["x-prompt-tokens"] == "2"
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"].startswith('{"a": "')


async def test_a_call_that_was_cut_and_cannot_be_counted_is_shown_all_the_same(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    words = 'Tool error: Failed to parse generated text: EOF while parsing a string at line 1 column 9 "{"'
    engine.answer = (422, {"error": words, "error_type": "tool_error"})
    engine.counts = False
    asked = {**ASKED, "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}
    async with http.post(CHAT, json=asked) as response:
        assert response.status == 200
        answer = await response.json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert "usage" not in answer
    assert "x-prompt-tokens" not in response.headers, "nginx counts it later"
