"""Tools by TGI's rules: what is offered, what the model is told, what its text means."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from unit.cpu_engine.scripted_facade import TOY_MODEL, Facade, frame, last_frame, running_facade

from cpu_engine.tgi import tools
from cpu_engine.tgi.chat_shapes import ChatRequest, chat_request
from cpu_engine.tgi.errors import BodyError, ToolError
from cpu_engine.tgi.json_reader import JsonReader
from cpu_engine.tgi.tools import CallStream, grammar, offered, parse_call
from cpu_engine.tgi.validation import grammar_pattern

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "of a city", "parameters": CITY},
}
PING = {"type": "function", "function": {"name": "ping", "arguments": {}}}
CALL = '{"function": {"_name": "weather", "city": "Paris"}}'
NO_TOOL = '{"function": {"_name": "no_tool"}}'


def _chat(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Weather?"}], "tools": [WEATHER, PING], **fields}


def _asked(**fields: Any) -> ChatRequest:
    return chat_request(json.dumps(_chat(**fields)).encode())


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", ["weather", "ping", "no_tool"]),
        (None, ["weather", "ping", "no_tool"]),
        ("required", ["weather", "ping"]),
        ("none", []),
        ("ping", ["ping"]),
        ({"type": "function", "function": {"name": "weather"}}, ["weather"]),
    ],
)
def test_what_is_offered(choice: object, names: list[str]) -> None:
    assert [tool.name for tool in offered(_asked(tool_choice=choice))] == names


def test_an_empty_list_of_tools_still_forces_the_grammar() -> None:
    assert [tool.name for tool in offered(_asked(tools=[]))] == ["no_tool"]
    assert offered(_asked(tools=None)) == ()


def test_what_cannot_be_offered() -> None:
    with pytest.raises(ToolError, match="Tool error: Tool with name nope not found"):
        offered(_asked(tool_choice="nope"))
    both = {"type": "json", "value": {"properties": {}}}
    with pytest.raises(ToolError, match="Tool error: Grammar and tools are mutually exclusive"):
        offered(_asked(tools=[], response_format=both))


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"x": 1}]},
        {"tool_choice": {"x": 1}},
        {"tool_choice": 5},
    ],
)
def test_shapes_that_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BodyError) as caught:
        _asked(**fields)
    assert caught.value.status == 422


def test_the_grammar_takes_calls_of_the_offered_tools_alone() -> None:
    pattern = grammar_pattern(grammar(offered(_asked(tool_choice="auto"))))
    assert re.fullmatch(pattern, CALL)
    assert re.fullmatch(pattern, NO_TOOL)
    assert not re.fullmatch(pattern, '{"function": {"_name": "rm", "city": "Paris"}}')
    assert not re.fullmatch(pattern, '{"function": {"_name": "weather"}}')


def test_what_a_text_means() -> None:
    call = parse_call(CALL)
    assert (call.name, call.arguments) == ("weather", {"city": "Paris"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '{ "function":{"_name":',
            'EOF while parsing a value at line 1 column 22 "{ \\"function\\":{\\"_name\\":"',
        ),
        ("{}", 'missing field `function` at line 1 column 2 "{}"'),
        (CALL + "x", "trailing characters at line 1 column 52"),
        ('{"function": {"city": "Paris"}}', "missing field `_name`"),
    ],
)
def test_a_text_that_is_no_call(text: str, reason: str) -> None:
    with pytest.raises(ToolError) as caught:
        parse_call(text)
    assert str(caught.value).startswith(f"Tool error: Failed to parse generated text: {reason}")


def test_a_call_token_by_token() -> None:
    calls = CallStream()
    parts = [calls.push(text) for text in ('{"', 'function":', ' {"_name": "', "weather", '",', ' "', "city")]
    assert parts == [None, None, None, None, ("weather", "{"), (None, ' "'), (None, "city")]
    rest = [calls.push(text) for text in ('":', ' "Paris"', "}", " }", "<|im_end|>")]
    assert rest == [(None, '":'), (None, ' "Paris"'), (None, "}"), (None, " "), None]


@pytest.mark.parametrize(
    "value",
    [
        '"' + "word, " * 2_000 + '"',
        '"' + '{}},\\"' * 2_000 + '"',
        "[" + "1, " * 2_000 + "1]",
        "[" + '{"b": {}}, ' * 1_000 + "1]",
        '{"b": ' + "[" * 60 + "]" * 60 + "}",
    ],
    ids=("words", "a string of braces", "numbers", "objects", "deep"),
)
@pytest.mark.parametrize("name", ["weather", "weather, } weather" * 500], ids=("short name", "long name"))
def test_a_long_call_is_read_about_once(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    parsed = 0

    class Counting(JsonReader):
        def __init__(self, data: bytes) -> None:
            nonlocal parsed
            parsed += len(data)
            super().__init__(data)

    monkeypatch.setattr(tools, "JsonReader", Counting)
    text = json.dumps({"function": {"_name": name, "a": json.loads(value), "b": 1}})
    calls = CallStream()
    parts = [part for char in text if (part := calls.push(char)) is not None]
    assert [told for told, _ in parts] == [name, *[None] * (len(parts) - 1)]
    arguments = "".join(piece for _, piece in parts).replace("{,", "{")
    assert json.loads(arguments) == {"a": json.loads(value), "b": 1}
    assert parsed < 4 * len(text)


def _frames(text: str) -> list[object]:
    pieces = re.findall(r'",|[^"]+|"', text)
    frames: list[object] = [frame(piece, 5, count) for count, piece in enumerate(pieces, 1)]
    return [*frames, frame("<end>", 2, len(pieces) + 1), last_frame("eos", len(pieces) + 1)]


def _answers(facade: Facade, *texts: str) -> None:
    """llama.cpp answers with these texts, one after the other."""
    facade.llama.answers = [_frames(text) for text in texts]


async def test_a_call_is_told_as_one() -> None:
    async with running_facade() as facade:
        _answers(facade, CALL)
        status, text = await facade.post("/v1/chat/completions", _chat())
    choice = json.loads(text)["choices"][0]
    function = {"description": None, "name": "weather", "arguments": '{"city":"Paris"}'}
    call = {"id": "0", "type": "function", "function": function}
    assert (status, choice["message"]) == (200, {"role": "assistant", "tool_calls": [call]})
    assert choice["finish_reason"] == "stop"
    assert facade.llama.bodies[0]["grammar"].startswith("root ::= ")


async def test_a_model_that_wants_no_tool_is_asked_again_without() -> None:
    async with running_facade() as facade:
        _answers(facade, NO_TOOL, "Sunny.")
        status, text = await facade.post("/v1/chat/completions", _chat())
        assert (status, json.loads(text)["choices"][0]["message"]["content"]) == (200, "Sunny.")
        assert ["grammar" in body for body in facade.llama.bodies] == [True, False]
        assert "weather" in facade.llama.templated[0]["messages"][-1]["content"]
        assert facade.llama.templated[1]["messages"][-1]["content"] == "Weather?"


async def test_the_same_in_a_stream() -> None:
    body = _chat(stream=True, stream_options={"include_usage": True})
    async with running_facade() as facade:
        _answers(facade, NO_TOOL, "Sunny.")
        *events, used, done = await facade.stream("/v1/chat/completions", body)
        deltas = [json.loads(event)["choices"][0]["delta"] for event in events]
        assert "".join(delta["content"] for delta in deltas) == "Sunny."
        assert (json.loads(used)["usage"]["completion_tokens"], done) == (2, "[DONE]")
        _answers(facade, CALL)
        *events, used, done = await facade.stream("/v1/chat/completions", body)
    choices = [json.loads(event)["choices"][0] for event in events]
    functions = [choice["delta"]["tool_calls"][0]["function"] for choice in choices]
    assert [function["name"] for function in functions if function["name"]] == ["weather"]
    assert json.loads("".join(function["arguments"] for function in functions)) == {"city": "Paris"}
    assert {choice["finish_reason"] for choice in choices} == {None}
    assert (json.loads(used)["choices"], done) == ([], "[DONE]")


async def test_a_text_that_is_no_call_is_an_error() -> None:
    async with running_facade() as facade:
        _answers(facade, "Sunny.")
        status, text = await facade.post("/v1/chat/completions", _chat())
    assert (status, json.loads(text)["error_type"]) == (422, "tool_error")


async def test_a_template_that_shows_tools_is_given_them() -> None:
    async with running_facade(model=replace(TOY_MODEL, template_shows_tools=True)) as facade:
        _answers(facade, CALL)
        assert (await facade.post("/v1/chat/completions", _chat(tool_prompt="Choose.")))[0] == 200
    (templated,) = facade.llama.templated
    functions = [tool["function"] for tool in templated["tools"]]
    assert functions[0] == {"name": "weather", "description": "of a city", "parameters": CITY}
    assert [function["name"] for function in functions] == ["weather", "ping", "no_tool"]
    assert templated["messages"] == [{"role": "user", "content": "Weather?\n---\nChoose."}]
