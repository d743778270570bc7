"""LangChain's ChatOpenAI."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import LengthFinishReasonError

from clients.asked import (
    DESCRIBED,
    HELLO,
    LIMIT,
    MODEL,
    REPEATED,
    SHORT,
    WEATHER,
    Cut,
    Person,
    get_weather,
    until_whole,
)


def _model(base_url: str, **options: object) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=base_url,
        api_key="none",
        model=MODEL,
        max_retries=0,
        **{"max_tokens": LIMIT, "temperature": 0, **options},
    )


def _answered(answer: AIMessage) -> None:
    assert isinstance(answer.content, str)
    assert answer.response_metadata["finish_reason"] in ("stop", "length")
    assert answer.usage_metadata["output_tokens"] > 0


def can_invoke(base_url: str) -> None:
    defaults = {"top_p": 1.0, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}
    _answered(_model(base_url, max_tokens=SHORT, **defaults).invoke(HELLO))


def can_stream(base_url: str) -> None:
    chunks = list(_model(base_url, stream_usage=True, max_tokens=SHORT).stream(HELLO))
    told = sum((chunk.usage_metadata or {}).get("output_tokens", 0) for chunk in chunks)
    assert 0 < told <= SHORT
    reasons = [chunk.response_metadata.get("finish_reason") for chunk in chunks]
    assert len({"stop", "length"} & set(reasons)) == 1


def can_call_tools(base_url: str) -> None:
    model = _model(base_url)
    calling = model.bind_tools([tool(get_weather)], tool_choice="any")
    answer = calling.invoke(WEATHER)
    (call,) = answer.tool_calls
    assert call["name"] == "get_weather"
    assert call["args"]["city"] in ("Paris", "Rome")
    result = ToolMessage(get_weather(call["args"]["city"]), tool_call_id=call["id"])
    _answered(_model(base_url, max_tokens=SHORT).invoke([("user", WEATHER), answer, result]))
    streamed: Any = None
    for chunk in calling.stream(WEATHER):
        streamed = chunk if streamed is None else streamed + chunk
    assert [made["name"] for made in streamed.tool_calls] == ["get_weather"]


def can_structure_by_default(base_url: str) -> None:
    assert isinstance(_model(base_url).with_structured_output(Person).invoke(DESCRIBED), Person)


def can_structure_by_json_schema(base_url: str) -> None:
    structured = _model(base_url).with_structured_output(Person, method="json_schema", strict=True)
    assert isinstance(structured.invoke(DESCRIBED), Person)


def can_structure_by_function_calling(base_url: str) -> None:
    structured = _model(base_url).with_structured_output(Person, method="function_calling")
    assert isinstance(structured.invoke(DESCRIBED), Person)


def can_structure_by_json_mode(base_url: str) -> None:
    """Which fields it has is then the model's own choice."""

    def ask(sampling: dict[str, Any]) -> str:
        model = _model(base_url, **sampling)
        structured = model.with_structured_output(Person, method="json_mode", include_raw=True)
        try:
            return str(structured.invoke(REPEATED)["raw"].content)
        except LengthFinishReasonError as error:
            raise Cut from error

    assert isinstance(json.loads(until_whole(ask)), dict)
