"""Streams of the engine's, as openai-api makes OpenAI's of them."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from openai.types import Completion
from openai.types.chat import ChatCompletionChunk
from unit.openai_api import recorded

from openai_api.chat import chat_request
from openai_api.chat_stream import ChatStream
from openai_api.completion_stream import CompletionStream
from openai_api.completions import completion_request
from openai_api.frames import Frames

USER = {"role": "user", "content": "Say hello."}
WITH_USAGE = {"stream_options": {"include_usage": True}}


def chat(**fields: Any) -> ChatStream:
    return ChatStream(chat_request({"messages": [USER], "stream": True, **fields}))


def completion(**fields: Any) -> CompletionStream:
    return CompletionStream(completion_request({"prompt": "One", "stream": True, **fields}))


def translated(stream: Frames, data: bytes, cuts: list[int] | None = None) -> list[Any]:
    """What comes of a whole stream of the engine's; `cuts` are where its pieces end."""
    edges = [0, *sorted(cuts or []), len(data)]
    made = b"".join(stream.feed(data[begin:end]) for begin, end in pairwise(edges))
    stream.close()
    assert stream.error is None
    events = recorded.events(made + stream.end())
    assert events.pop() == "[DONE]"
    kind = ChatCompletionChunk if isinstance(stream, ChatStream) else Completion
    for event in events:
        if kind is ChatCompletionChunk or (event["choices"] and event["choices"][0]["finish_reason"]):
            kind.model_validate(event, strict=True)
    ids = {event["id"] for event in events}
    assert len(ids) == 1
    assert re.fullmatch("(chatcmpl|cmpl)-[0-9a-f]{24}", ids.pop())
    return events


def reasons(events: list[Any]) -> list[Any]:
    return [choice["finish_reason"] for event in events for choice in event["choices"]]


def frame(choices: list[Any], **more: Any) -> bytes:
    about = {
        "object": "chat.completion.chunk",
        "id": "",
        "created": 1,
        "model": "m",
        "system_fingerprint": "f",
    }
    document = json.dumps({**about, "choices": choices, "usage": None, **more}, separators=(",", ":"))
    return f"data: {document}\n\n".encode()


def tool_frame(name: str | None, arguments: str, reason: str | None = None) -> bytes:
    function = {"name": name, "arguments": arguments}
    delta = {
        "role": "assistant",
        "tool_calls": [{"index": 0, "id": "0", "type": "function", "function": function}],
    }
    return frame([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}])
