"""Whole answers that TGI gave, in OpenAI's form."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion
from unit.openai_api import recorded

from openai_api.answers import chat_answer, completion_answer
from openai_api.chat import chat_request
from openai_api.completions import completion_request
from openai_api.cut_call import cut_answer
from openai_api.errors import CallCut, EngineFailed

USER = {"role": "user", "content": "Say hello."}


def chat(name: str, **fields: Any) -> Any:
    """A recorded answer as it would be given to a request, checked against the package's own types."""
    answer = json.loads(chat_answer(recorded.body(name), chat_request({"messages": [USER], **fields})))
    ChatCompletion.model_validate(answer, strict=True)
    return answer


def completion(name: str, **fields: Any) -> Any:
    answer = json.loads(
        completion_answer(recorded.body(name), completion_request({"prompt": "One", **fields}))
    )
    Completion.model_validate(answer, strict=True)
    return answer


def test_a_text() -> None:
    first, second = chat("chat minimal"), chat("chat minimal")
    assert re.fullmatch("chatcmpl-[0-9a-f]{24}", first["id"])
    assert first["id"] != second["id"]
    assert first["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there, welcome to my world!", "refusal": None},
            "logprobs": None,
            "finish_reason": "length",
        }
    ]
    assert first["usage"] == {"prompt_tokens": 33, "completion_tokens": 8, "total_tokens": 41}


def test_a_call() -> None:
    choices = [chat("chat tools, choice absent")["choices"][0] for _ in range(2)]
    assert choices[0]["finish_reason"] == "tool_calls"
    assert choices[0]["message"]["content"] is None
    first, second = (choice["message"]["tool_calls"][0] for choice in choices)
    assert first["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert re.fullmatch("call_[0-9a-f]{24}", first["id"])
    assert first["id"] != second["id"]


def test_what_was_cut_by_a_stop_ends_before_it() -> None:
    """TGI leaves it in, and does not see one that ends inside a token."""
    choice = chat("chat minimal", stop=["rld", " wel"])["choices"][0]
    assert choice["message"]["content"] == "Hello there,"
    assert choice["finish_reason"] == "stop"
    assert completion("completions string", stop=".")["choices"][0]["text"] == " Paris"


def test_probabilities() -> None:
    told = chat("chat logprobs true, top_logprobs 5", logprobs=True, top_logprobs=2)["choices"][0]["logprobs"]
    assert [token["token"] for token in told["content"]][:2] == ["Hello", " there"]
    assert told["content"][0]["bytes"] == list(b"Hello")
    assert {len(token["top_logprobs"]) for token in told["content"]} == {2}
    cut = chat("chat logprobs true, top_logprobs 5", logprobs=True, stop=" wel")["choices"][0]["logprobs"]
    assert [token["token"] for token in cut["content"]] == ["Hello", " there", ","]


def test_bytes_that_are_no_character_are_not_made_up() -> None:
    told = chat("chat logprobs true, top_logprobs 5", logprobs=True, top_logprobs=3)["choices"][0]["logprobs"]
    assert [other["bytes"] for other in told["content"][0]["top_logprobs"]] == [list(b"Hello"), [73], None]


def test_several_prompts_are_answered_in_their_order() -> None:
    answer = completion("completions list 2", prompt=["The capital of France is", "One two"], echo=True)
    assert re.fullmatch("cmpl-[0-9a-f]{24}", answer["id"])
    assert [(choice["index"], choice["text"], choice["finish_reason"]) for choice in answer["choices"]] == [
        (0, "The capital of France is Paris.\n\nThe", "length"),
        (1, "One two-tailed test, which", "length"),
    ]


@pytest.mark.parametrize("reason", ["eos_token", "stop", "stop_sequence", "", None])
def test_an_answer_always_says_why_it_ended(reason: str | None) -> None:
    told = json.loads(recorded.body("completions string"))
    told["choices"][0]["finish_reason"] = reason
    answer = json.loads(completion_answer(json.dumps(told).encode(), completion_request({"prompt": "One"})))
    assert answer["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"index": 0}]}', b'{"choices": 1}']
)
def test_an_answer_that_is_none_is_the_engines_failure(raw: bytes) -> None:
    with pytest.raises(EngineFailed):
        chat_answer(raw, chat_request({"messages": [USER]}))
    with pytest.raises(EngineFailed):
        completion_answer(raw, completion_request({"prompt": "One"}))


@pytest.mark.parametrize(
    ("written", "calls"),
    [
        ('{ "function": { "_name": "get_weather", "city": "Par', [("get_weather", '{"city": "Par')]),
        ('{"function":{"_name":"get_weather"', [("get_weather", "{")]),
        ('{ "function":{"_name":"get_w', []),
        ('{"function":{"_name":"no_tool", "', []),
    ],
)
def test_a_call_that_was_cut_is_shown_as_far_as_it_goes(written: str, calls: list[Any]) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    answer = cut_answer(CallCut(written), chat_request({"messages": [USER], "model": "m"}), usage)
    ChatCompletion.model_validate(answer, strict=True)
    choice: Any = answer["choices"][0]
    assert choice["finish_reason"] == "length"
    found = choice["message"].get("tool_calls", [])
    assert [(call["function"]["name"], call["function"]["arguments"]) for call in found] == calls
    assert choice["message"]["content"] == (None if calls else "")
    assert answer["usage"] == usage


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{"function": {"_name": "no_tool", "content": "It is ', "It is "),
        ('{"function":{"_name":"no_tool","content":"say \\"hi\\"\\n\\u4f60\\u59', 'say "hi"\n你'),
        ('{"function":{"_name":"no_tool","content":"\\ud83d', ""),
        ('{"function":{"_name":"no_tool","content":"odd \\x', "odd "),
        ('{"function":{"_name":"no_tool","content":"whole"', "whole"),
    ],
)
def test_words_instead_of_a_call_that_were_cut_are_shown_as_far_as_they_go(written: str, said: str) -> None:
    answer = cut_answer(CallCut(written), chat_request({"messages": [USER], "model": "m"}), None)
    ChatCompletion.model_validate(answer, strict=True)
    message: Any = answer["choices"][0]["message"]
    assert (message["content"], message.get("tool_calls")) == (said, None)
