"""What people send with the official `openai` package: answered, or refused by OpenAI's own exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from clients.asked import LIMIT, Cut, until_whole
from harness.caller import MODEL
from harness.openai_asking import HELLO, chat
from harness.waiting import in_some_answer

PERSON: Any = [{"role": "user", "content": "Ann is thirty. As JSON."}]
WEATHER: Any = [{"role": "user", "content": "Weather in Paris?"}]
CITY = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "Weather", "parameters": CITY}
TOOLS: Any = [{"type": "function", "function": FUNCTION}]
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"enum": ["Ann", "Bob"]}},
            "required": ["name"],
            "additionalProperties": False,
        },
    },
}
CALLED: Any = [
    *WEATHER,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "18 C"},
]


class Person(BaseModel):
    """With few values, so that the small model comes to an end."""

    name: Literal["Ann", "Bob"]
    is_grown_up: bool


ANSWERED: dict[str, dict[str, Any]] = {
    "the defaults of many UIs": {
        **{"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "n": 1}
    },
    "stop as a text": {"stop": "\n"},
    "a format of text": {"response_format": {"type": "text"}},
    "no tools": {"tools": []},
    "null": {"extra_body": {"stream_options": None, "tools": None, "stop": None, "seed": None}},
    "developer": {"messages": [{"role": "developer", "content": "Be short."}, *HELLO]},
    "parts of text": {"messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]},
    "labels": {"seed": 1, "user": "u", "metadata": {"a": "b"}, "store": False, "service_tier": "auto"},
    "hints": {"reasoning_effort": "low", "extra_body": {"verbosity": "low"}},
    "another model's name": {"model": "gpt-4o"},
    "a tool's result": {"messages": CALLED, "tools": TOOLS, "tool_choice": "none"},
}


@pytest.mark.parametrize("name", ANSWERED)
def test_an_ordinary_request_is_answered(client: OpenAI, name: str) -> None:
    answer = chat(client, **ANSWERED[name])
    (choice,) = answer.choices
    assert choice.finish_reason in ("stop", "length")
    assert isinstance(choice.message.content, str)
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == ANSWERED[name].get("model", MODEL)
    assert answer.usage
    assert 0 < answer.usage.completion_tokens <= 16


def test_ids_are_answers_own_and_a_penalty_of_zero_changes_nothing(client: OpenAI) -> None:
    ids: list[str] = []

    def text(**options: Any) -> str | None:
        answer = chat(client, **options)
        ids.append(answer.id)
        return answer.choices[0].message.content

    assert in_some_answer(lambda: text() == text(presence_penalty=0, frequency_penalty=0))
    assert len(set(ids)) == len(ids)


def test_of_two_limits_the_newer_counts(client: OpenAI) -> None:
    for more in ({"max_completion_tokens": 5}, {"max_tokens": openai.omit, "max_completion_tokens": 5}):
        answer = chat(client, **more)
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage
        assert answer.usage.completion_tokens == 5


def test_an_answer_ends_before_its_stop(client: OpenAI) -> None:
    asked: Any = {"model": MODEL, "messages": HELLO, "max_tokens": 16, "temperature": 0}

    def whole(stop: str) -> tuple[str | None, str]:
        choice = chat(client, stop=[stop]).choices[0]
        return choice.message.content, choice.finish_reason

    def streamed(stop: str) -> tuple[str, str | None]:
        chunks = list(client.chat.completions.create(stop=stop, stream=True, **asked))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        return text, chunks[-1].choices[0].finish_reason

    def ends_before_it(stopped: Callable[[str], tuple[str | None, str | None]]) -> bool:
        text = chat(client).choices[0].message.content or ""
        stop = text[5:8]
        return stopped(stop) == (text[: text.index(stop)], "stop")

    assert in_some_answer(lambda: ends_before_it(whole))
    assert in_some_answer(lambda: ends_before_it(streamed))


def test_json_is_json(client: OpenAI) -> None:
    asked = [{"role": "user", "content": 'Repeat: {"name": "Ann"}'}]

    def ask(sampling: dict[str, Any]) -> str:
        options = {"response_format": {"type": "json_object"}, "max_tokens": LIMIT, **sampling}
        choice = chat(client, messages=asked, **options).choices[0]
        if choice.finish_reason == "length":
            raise Cut
        return choice.message.content or ""

    assert isinstance(json.loads(until_whole(ask)), dict)


def test_json_follows_its_schema(client: OpenAI) -> None:
    answer = chat(client, messages=PERSON, response_format=SCHEMA, max_tokens=LIMIT)
    assert json.loads(answer.choices[0].message.content or "")["name"] in ("Ann", "Bob")
    parsed = client.chat.completions.parse(
        model=MODEL, messages=PERSON, response_format=Person, max_tokens=LIMIT
    )
    assert isinstance(parsed.choices[0].message.parsed, Person)


@pytest.mark.parametrize(
    "options",
    [
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        {"tool_choice": "required", "parallel_tool_calls": False, "strict": True},
    ],
    ids=["required", "by name", "strict"],
)
def test_a_tool_is_called(client: OpenAI, options: dict[str, Any]) -> None:
    strict = {"strict": True} if options.pop("strict", False) else {}
    tools = [{"type": "function", "function": {**FUNCTION, **strict}}]
    answers = [chat(client, messages=WEATHER, tools=tools, max_tokens=LIMIT, **options) for _ in range(2)]
    ids = set()
    for answer in answers:
        assert answer.choices[0].finish_reason == "tool_calls"
        (call,) = answer.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments)["city"] in ("Paris", "Rome")
        ids.add(call.id)
    assert len(ids) == 2


def test_a_tool_without_parameters_is_called_with_none(client: OpenAI) -> None:
    tools = [{"type": "function", "function": {"name": "ping"}}]
    answer = chat(client, tools=tools, tool_choice="required", max_tokens=LIMIT)
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("ping", {})


def test_a_model_may_choose_whether_to_call(client: OpenAI) -> None:
    answer = chat(client, messages=WEATHER, tools=TOOLS, max_tokens=LIMIT)
    choice = answer.choices[0]
    assert isinstance(choice.message.content, str) != bool(choice.message.tool_calls)
    if choice.finish_reason != "length":  # either may be cut
        assert (choice.finish_reason == "tool_calls") == bool(choice.message.tool_calls)


def test_a_streamed_call_has_an_end_and_usage(client: OpenAI) -> None:
    with client.chat.completions.create(
        model=MODEL,
        messages=WEATHER,
        tools=TOOLS,
        tool_choice="required",
        max_tokens=LIMIT,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        *chunks, last = list(stream)
    assert last.choices == []
    assert last.usage
    assert last.usage.completion_tokens > 0
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert calls[0].function
    assert calls[0].function.name == "get_weather"
    assert calls[0].id
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert json.loads(arguments)["city"] in ("Paris", "Rome")
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["tool_calls"]


def test_a_stream_tells_its_usage_when_asked(client: OpenAI) -> None:
    told: dict[bool, Any] = {}
    for include in (True, False):
        options: Any = {"stream_options": {"include_usage": True}} if include else {}
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=HELLO, max_tokens=16, temperature=0, stream=True, **options
            )
        )
        told[include] = [chunk.usage for chunk in chunks if chunk.usage]
        assert len({chunk.id for chunk in chunks}) == 1
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert reasons[-1] in ("stop", "length")
        assert set(reasons[:-1]) == {None}
    assert told[False] == []
    (usage,), plain = told[True], chat(client).usage
    assert plain
    assert usage.prompt_tokens == plain.prompt_tokens
    assert 0 < usage.completion_tokens <= 16
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_probabilities_are_told(client: OpenAI) -> None:
    (choice,) = chat(client, logprobs=True, top_logprobs=2).choices
    assert choice.logprobs
    assert choice.logprobs.content
    assert "".join(token.token for token in choice.logprobs.content) == choice.message.content
    assert {len(token.top_logprobs) for token in choice.logprobs.content} == {2}


def test_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL


def test_completions(client: OpenAI) -> None:
    prompt = "The capital of France is"
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 4, "temperature": 0}

    def text(**options: Any) -> str:
        return str(client.completions.create(prompt=prompt, **asked, **options).choices[0].text)

    def streamed() -> str:
        with client.completions.create(prompt=[prompt, "1, 2, 3,"], stream=True, **asked) as stream:
            pieces = [choice for chunk in stream for choice in chunk.choices]
        assert {piece.index for piece in pieces if piece.finish_reason} == {0, 1}
        return "".join(piece.text for piece in pieces if piece.index == 0)

    assert in_some_answer(lambda: text(echo=True) == prompt + text())
    assert in_some_answer(lambda: streamed() == text())
