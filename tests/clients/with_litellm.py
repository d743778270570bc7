"""LiteLLM, with the provider `openai`."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import litellm

from clients.asked import DESCRIBED, HELLO, MODEL, REPEATED, WEATHER, WEATHER_TOOL, Person


def _complete(base_url: str, content: str, **options: Any) -> Any:
    complete = partial(litellm.completion, model=f"openai/{MODEL}", api_base=base_url, api_key="none")
    asked = {"max_tokens": 60, "temperature": 0, **options}
    return complete(messages=[{"role": "user", "content": content}], **asked)


def can_complete(base_url: str) -> None:
    answer = _complete(base_url, HELLO, top_p=1, n=1, stop="\n\n", presence_penalty=0)
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0


def can_stream(base_url: str) -> None:
    chunks = list(_complete(base_url, HELLO, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.completion_tokens > 0


def can_call_tools(base_url: str) -> None:
    answer = _complete(base_url, WEATHER, tools=[WEATHER_TOOL], tool_choice="required")
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments)["city"] in ("Paris", "Rome")


def can_structure(base_url: str) -> None:
    answer = _complete(base_url, DESCRIBED, response_format=Person)
    Person.model_validate_json(answer.choices[0].message.content)
    answer = _complete(base_url, REPEATED, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


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
