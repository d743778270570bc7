"""Chat streams that TGI sent, in OpenAI's form; and of every kind, whichever pieces they come in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.openai_api import recorded
from unit.openai_api.streaming import (
    WITH_USAGE,
    chat,
    completion,
    frame,
    reasons,
    tool_frame,
    translated,
)

from harness.stack import REPO
from openai_api.errors import ContextTooLong, EngineFailed, Overloaded
from openai_api.frames import Frames

METER = REPO / "nginx/gate/meter.js"
TOOL = {"type": "function", "function": {"name": "get_weather"}}


def deltas(events: list[Any]) -> list[Any]:
    return [choice["delta"] for event in events for choice in event["choices"]]


def test_a_text() -> None:
    events = translated(chat(), recorded.body("chat stream"))
    assert "".join(delta["content"] for delta in deltas(events)) == "Hello there, welcome to my world!"
    # clients put the pieces of a delta together: a role in each would be assistantassistant…
    assert [delta.get("role") for delta in deltas(events)] == ["assistant", *[None] * 7]
    assert reasons(events) == [*[None] * 7, "length"]
    assert {event["usage"] for event in events} == {None}


def test_the_usage_is_told_to_who_asks_for_it() -> None:
    events = translated(chat(**WITH_USAGE), recorded.body("chat stream usage"))
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == {"prompt_tokens": 33, "completion_tokens": 8, "total_tokens": 41}
    assert len(events) == 9


@pytest.mark.parametrize("name", ["chat tools, choice absent, stream", "chat tools, choice required, stream"])
def test_a_call(name: str) -> None:
    stream = chat(tools=[TOOL])
    events = translated(stream, recorded.body(name))
    first, *more = deltas(events)
    call = first["tool_calls"][0]
    assert (first["role"], first["content"]) == ("assistant", None)
    assert call["function"]["name"] == "get_weather"
    assert re.fullmatch("call_[0-9a-f]{24}", call["id"])
    assert more.pop() == {}
    # clients put the pieces together: an id or a name in each would be repeated, too
    assert {(*one, *one["tool_calls"][0], *one["tool_calls"][0]["function"]) for one in more} == {
        ("tool_calls", "index", "function", "arguments")
    }
    written = "".join(one["tool_calls"][0]["function"]["arguments"] for one in [first, *more])
    assert json.loads(written) == {"city": "Paris"}
    assert stream.call == ("get_weather", written)
    assert reasons(events) == [*[None] * (len(events) - 1), "tool_calls"]


def test_a_call_without_arguments_gets_the_brace_that_the_engine_leaves_out() -> None:
    events = translated(chat(tools=[TOOL]), tool_frame("ping", "{") + b"data: [DONE]\n\n")
    assert deltas(events)[1] == {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}
    assert reasons(events) == [None, "tool_calls"]


@pytest.mark.parametrize(
    ("data", "tokens"),
    [
        (tool_frame("ping", "{"), 1),
        (tool_frame("ping", "{}"), 1),
        (b"", 0),
        (frame([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]), 1),
    ],
)
def test_what_is_no_token_is_written_so_that_nginx_does_not_count_it(data: bytes, tokens: int) -> None:
    (needle,) = re.findall(r"^const NO_TOKEN = Buffer.from\('(.+)'\);", METER.read_text(), re.M)
    stream = chat(tools=[TOOL])
    made = stream.feed(data + b"data: [DONE]\n\n") + stream.end()
    frames = [one for one in made.split(b"\n\n") if one.startswith(b"data: {")]
    assert len(frames) == tokens + 1
    assert [needle.encode() in one for one in frames] == [*[False] * tokens, True]


@pytest.mark.parametrize(
    "pieces",
    [["{", " ,", '"city":1}'], ["{ ", ',"city":1}'], ["{", '"city":1}'], ["{", " ", ", ", '"city":1}']],
)
def test_a_call_has_no_comma_before_its_first_argument(pieces: list[str]) -> None:
    """TGI leaves one there when the model has put a space before it."""
    frames = [tool_frame(None if index else "f", piece) for index, piece in enumerate(pieces)]
    told = deltas(translated(chat(tools=[TOOL]), b"".join(frames) + b"data: [DONE]\n\n"))
    calls = [call for delta in told for call in delta.get("tool_calls", [])]
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": 1}


def test_a_call_that_was_cut_says_so() -> None:
    data = tool_frame("f", "{") + tool_frame(None, '"a', "length") + b"data: [DONE]\n\n"
    assert reasons(translated(chat(tools=[TOOL]), data)) == [None, "length"]


def test_an_answer_too_short_for_the_name_of_a_call_says_so() -> None:
    events = translated(chat(tools=[TOOL], model="m"), b"data: [DONE]\n\n")
    assert deltas(events) == [{"role": "assistant", "content": None}]
    assert reasons(events) == ["length"]


def test_probabilities() -> None:
    events = translated(chat(logprobs=True, top_logprobs=2), recorded.body("chat stream logprobs"))
    told = [choice["logprobs"]["content"][0] for event in events for choice in event["choices"]]
    assert [token["token"] for token in told][:2] == ["Hello", " there"]
    assert told[0]["bytes"] == list(b"Hello")
    assert {len(token["top_logprobs"]) for token in told} <= {0, 1, 2}


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        ("world!", "Hello there, welcome to my "),
        (" wor", "Hello there, welcome to my"),
        ("re, w", "Hello the"),
        ("world!!", "Hello there, welcome to my world!"),
    ],
)
def test_a_stop_is_found_across_tokens_and_not_shown(stop: str, text: str) -> None:
    events = translated(chat(stop=stop), recorded.body("chat stream"))
    assert "".join(delta["content"] for delta in deltas(events)) == text
    assert reasons(events)[-1] == ("length" if text.endswith("world!") else "stop")
    assert reasons(events).count(None) == len(events) - 1


def test_what_comes_after_a_stop_is_not_waited_for() -> None:
    stream = chat(stop=" wel")
    stream.feed(recorded.body("chat stream"))
    assert stream.over
    assert not stream.is_done
    assert stream.tokens == 4


def test_a_comment_passes_at_once() -> None:
    assert chat().feed(b":\n\n") == b":\n\n"


@pytest.mark.parametrize(
    "text", ['"id":""', '"delta":{"role":"assistant","content":', "\n\ndata: [DONE]\n\n", "﻿ "]
)
def test_a_text_like_a_frame_stays_as_it_is(text: str) -> None:
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": text},
        "logprobs": None,
        "finish_reason": None,
    }
    end = {**choice, "delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
    data = frame([choice]) * 3 + frame([end]) + b"data: [DONE]\n\n"
    assert "".join(delta["content"] for delta in deltas(translated(chat(), data))) == text * 3


@pytest.mark.parametrize(
    ("name", "stream", "kind"),
    [
        ("chat too long stream", chat(), ContextTooLong),
        ("full completions stream", completion(), Overloaded),
    ],
)
def test_an_error_ends_it(name: str, stream: Frames, kind: type[Exception]) -> None:
    assert stream.feed(recorded.body(name)) == b""
    assert isinstance(stream.error, kind)
    assert stream.over


def test_a_stream_without_its_end_is_the_engines_failure() -> None:
    stream = chat()
    stream.feed(recorded.body("chat stream")[:700])
    stream.close()
    assert isinstance(stream.error, EngineFailed)


STREAMS: dict[str, Callable[[], Frames]] = {
    "chat stream": lambda: chat(),
    "chat stream usage": lambda: chat(**WITH_USAGE),
    "chat tools, choice required, stream": lambda: chat(tools=[TOOL]),
    "completions stream": lambda: completion(),
}


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(STREAMS)), cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_whichever_pieces_it_comes_in(name: str, cuts: list[int]) -> None:
    data = recorded.body(name)
    pieces = translated(STREAMS[name](), data, [cut for cut in cuts if cut < len(data)])
    whole = translated(STREAMS[name](), data)
    assert _without_ids(pieces) == _without_ids(whole)


def _without_ids(events: list[Any]) -> str:
    return re.sub(r"(chatcmpl-|cmpl-|call_)[0-9a-f]{24}", r"\1", json.dumps(events))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "index",
                    "text",
                    "finish_reason",
                    "tool_calls",
                    "function",
                    "usage",
                    "error",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(documents=st.lists(JSON, max_size=4))
def test_whatever_the_engine_says_is_an_answer_or_its_failure(documents: list[Any]) -> None:
    data = b"".join(b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents)
    for stream in (chat(stop="a", logprobs=True), completion(echo=True)):
        stream.feed(data)
        stream.close()
        if stream.error is None:
            stream.end()
