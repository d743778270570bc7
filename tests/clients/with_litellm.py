"""LiteLLM, with the provider `openai`."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import litellm

from clients.asked import (
    DESCRIBED,
    HELLO,
    LIMIT,
    MODEL,
    REPEATED,
    SHORT,
    WEATHER,
    WEATHER_TOOL,
    Cut,
    Person,
    until_whole,
)


def _complete(base_url: str, content: str, **options: Any) -> Any:
    complete = partial(litellm.completion, model=f"openai/{MODEL}", api_base=base_url, api_key="none")
    asked = {"max_tokens": LIMIT, "temperature": 0, **options}
    return complete(messages=[{"role": "user", "content": content}], **asked)


def can_complete(base_url: str) -> None:
    answer = _complete(base_url, HELLO, max_tokens=SHORT, top_p=1, n=1, stop="\n\n", presence_penalty=0)
    assert isinstance(answer.choices[0].message.content, str)
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert 0 < answer.usage.completion_tokens <= SHORT


def can_stream(base_url: str) -> None:
    options = {"max_tokens": SHORT, "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(_complete(base_url, HELLO, **options))
    assert 0 < chunks[-1].usage.completion_tokens <= SHORT
    reasons = {chunk.choices[0].finish_reason for chunk in chunks if chunk.choices}
    assert len(reasons & {"stop", "length"}) == 1


def can_call_tools(base_url: str) -> None:
    answer = _complete(base_url, WEATHER, tools=[WEATHER_TOOL], tool_choice="required")
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments)["city"] in ("Paris", "Rome")


def can_structure(base_url: str) -> None:
    answer = _complete(base_url, DESCRIBED, response_format=Person)
    Person.model_validate_json(answer.choices[0].message.content)


def can_take_json(base_url: str) -> None:
    def ask(sampling: dict[str, Any]) -> str:
        answer = _complete(base_url, REPEATED, response_format={"type": "json_object"}, **sampling)
        if answer.choices[0].finish_reason == "length":
            raise Cut
        return str(answer.choices[0].message.content)

    assert isinstance(json.loads(until_whole(ask)), dict)


def can_tell_refusals_apart(base_url: str) -> None:
    for options, kind in (
        ({"logit_bias": {"5": 1}}, litellm.BadRequestError),
        ({"max_tokens": 1, "messages": "word " * 9000}, litellm.ContextWindowExceededError),
    ):
        content = str(options.pop("messages", HELLO))
        try:
            _complete(base_url, content, **options)
        except kind:
            continue
        raise AssertionError(f"no {kind.__name__}")
