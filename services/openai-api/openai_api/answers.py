"""Whole answers of the engine, from TGI's form to OpenAI's; and what streams share with them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

import orjson

from openai_api.chat import ChatRequest
from openai_api.checks import Json
from openai_api.completions import CompletionRequest
from openai_api.errors import EngineFailed
from openai_api.stops import cut

_REASONS = {"length": "length"}
"""TGI's words for the end of an answer; every other is a stop (`eos_token`, `stop_sequence`, `stop`)."""


def new_id(kind: str) -> str:
    """An id that no other answer has: `chatcmpl-…`, `cmpl-…`, `call_…`."""
    return f"{kind}{secrets.token_hex(12)}"


def envelope(kind: str, asked: ChatRequest) -> Json:
    """What stands around an answer of which the engine has not said it."""
    return {
        "object": kind,
        "id": new_id("chatcmpl-"),
        "created": int(time.time()),
        "model": asked.body.get("model", ""),
    }


def finish_reason(told: object) -> str:
    """OpenAI's word for what TGI says; never none."""
    return _REASONS.get(str(told), "stop")


def chat_answer(raw: bytes, asked: ChatRequest) -> bytes:
    """A chat.completion.

    Raises:
        EngineFailed: the engine's answer is none.
    """
    answer = _read(raw)
    try:
        choice = answer["choices"][0]
        message = choice["message"]
        reason = finish_reason(choice["finish_reason"])
        calls = message.get("tool_calls") or []
        content = message.get("content")
        if content is not None and (found := cut(content, asked.stops)) is not None:
            content, reason = found, "stop"
        told: Json = {"role": "assistant", "content": content, "refusal": None}
        if calls:
            told["tool_calls"] = [_called(call["function"]) for call in calls]
            reason = "tool_calls"
        probabilities = logprobs(choice.get("logprobs"), asked, content)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise EngineFailed("The engine's answer does not have TGI's form.") from error
    answer["id"] = new_id("chatcmpl-")
    answer["choices"] = [
        {"index": 0, "message": told, "logprobs": probabilities, "finish_reason": reason},
    ]
    return orjson.dumps(answer)


def completion_answer(raw: bytes, asked: CompletionRequest) -> bytes:
    """A text_completion; TGI's choices come in the order in which they ended.

    Raises:
        EngineFailed: the engine's answer is none.
    """
    answer = _read(raw)
    try:
        choices = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
        for choice, prompt in zip(choices, asked.prompts, strict=True):
            choice["finish_reason"] = finish_reason(choice["finish_reason"])
            if (found := cut(choice["text"], asked.stops)) is not None:
                choice["text"], choice["finish_reason"] = found, "stop"
            if asked.echo:
                choice["text"] = prompt + choice["text"]
    except (KeyError, TypeError, ValueError) as error:
        raise EngineFailed("The engine's answer does not have TGI's form.") from error
    answer["id"] = new_id("cmpl-")
    answer["choices"] = choices
    return orjson.dumps(answer)


def logprobs(told: Any, asked: ChatRequest, content: str | None = None) -> Json | None:
    """The tokens' probabilities, as many alternatives as asked for; TGI tells one more where two are alike.

    `content`: the text at whose end the tokens end, too.
    """
    if asked.top_logprobs is None or not isinstance(told, dict):
        return None
    found: list[Json] = []
    length = 0
    for token in told.get("content") or []:
        if content is not None and length >= len(content) and found:
            break
        length += len(token["token"])
        alternatives = token.get("top_logprobs") or []
        found.append(
            {**_token(token), "top_logprobs": [_token(one) for one in alternatives[: asked.top_logprobs]]}
        )
    return {"content": found, "refusal": None}


def _token(told: Json) -> Json:
    text = told["token"]
    # a part of a character is told as U+FFFD: its bytes are not known
    known = None if "�" in text else list(text.encode())
    return {"token": text, "logprob": told["logprob"], "bytes": known}


def _called(function: Json) -> Json:
    return {
        "id": new_id("call_"),
        "type": "function",
        "function": {"name": function["name"], "arguments": function["arguments"]},
    }


def usage_of(prompt: int, completion: int) -> Json:
    """OpenAI's count of tokens."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def summed(usages: Sequence[Json]) -> Json:
    """The count of several answers together."""
    return usage_of(
        sum(usage["prompt_tokens"] for usage in usages), sum(usage["completion_tokens"] for usage in usages)
    )


def _read(raw: bytes) -> Json:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EngineFailed("The engine did not answer with JSON.") from error
    if not isinstance(answer, dict):
        raise EngineFailed("The engine's answer does not have TGI's form.")
    return answer
