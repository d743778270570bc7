"""LlamaIndex's OpenAILike."""

from __future__ import annotations

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from clients.asked import DESCRIBED, HELLO, LIMIT, MODEL, SHORT, WEATHER, Person, get_weather


def _model(base_url: str, **options: object) -> OpenAILike:
    return OpenAILike(
        model=MODEL,
        api_base=base_url,
        api_key="none",
        context_window=4096,
        temperature=0,
        max_retries=0,
        timeout=300,  # its own minute is short where everybody shares two cores
        **{"max_tokens": LIMIT, "is_chat_model": True, "is_function_calling_model": True, **options},
    )


def can_chat(base_url: str) -> None:
    answer = _model(base_url, max_tokens=SHORT).chat([ChatMessage(role="user", content=HELLO)])
    assert isinstance(answer.message.content, str)
    assert 0 < answer.raw.usage.completion_tokens <= SHORT


def can_stream(base_url: str) -> None:
    pieces = list(_model(base_url, max_tokens=SHORT).stream_chat([ChatMessage(role="user", content=HELLO)]))
    assert "".join(piece.delta or "" for piece in pieces) == pieces[-1].message.content


def can_complete(base_url: str) -> None:
    for is_chat_model in (True, False):
        answer = _model(base_url, max_tokens=SHORT, is_chat_model=is_chat_model).complete(HELLO)
        assert isinstance(answer.text, str)
        assert 0 < answer.raw.usage.completion_tokens <= SHORT


def can_call_tools(base_url: str) -> None:
    model = _model(base_url)
    answer = model.chat_with_tools(
        [FunctionTool.from_defaults(get_weather)], user_msg=WEATHER, tool_required=True
    )
    (call,) = model.get_tool_calls_from_response(answer)
    assert (call.tool_name, call.tool_kwargs["city"] in ("Paris", "Rome")) == ("get_weather", True)


def can_structure(base_url: str) -> None:
    answer = _model(base_url).as_structured_llm(Person).complete(DESCRIBED)
    assert isinstance(answer.raw, Person)
