"""What the engine (or nginx for it) says when it refuses or fails, to an error in OpenAI's form.

Inside a stream TGI tells every error with the code 422, so it is the words that decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from openai_api.errors import (
    RETRY_AFTER_SECONDS,
    ApiError,
    BadRequest,
    BodyTooLarge,
    CallCut,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    Overloaded,
)

MOST_CHARACTERS = 500
"""Of the engine's own words in a sentence; a schema can be quoted in them."""
_TOTAL = re.compile(
    r"`max_new_tokens` must be <= (\d+)\. Given: (\d+) `inputs` tokens and (\d+) `max_new_tokens`"
)
_INPUT = re.compile(r"`inputs` must have less than (\d+) tokens\. Given: (\d+)")
_UNPARSED = re.compile(r'Failed to parse generated text: EOF .* at line \d+ column \d+ "(.*)"$', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-f]{1,6})\}|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_GRAMMAR = re.compile(r"grammar is not (?:valid|supported)|cannot compile regex from schema|Grammar error")


def of_answer(status: int, body: bytes, retry_after: str | None, asked: Mapping[str, Any]) -> ApiError:
    """The error that an answer without 200 is; `asked` is the engine's request, whose field is named."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    said = found.get("error") if isinstance(found, dict) else None
    code = found.get("code") if isinstance(found, dict) else None
    if isinstance(said, dict):
        code, said = said.get("code"), said.get("message")
    words = said if isinstance(said, str) and said else body[:MOST_CHARACTERS].decode(errors="replace")
    return of_words(status, words, code if isinstance(code, str) else None, retry_after, asked)


def of_event(event: dict[str, Any], asked: Mapping[str, Any]) -> ApiError:
    """The error that an event inside a stream is."""
    said = event.get("error")
    words = said.get("message") if isinstance(said, dict) else said
    return of_words(422, str(words or ""), None, None, asked)


def of_words(
    status: int, words: str, code: str | None, retry_after: str | None, asked: Mapping[str, Any]
) -> ApiError:
    """The error by its status and the engine's words for it."""
    again = retry_after or str(RETRY_AFTER_SECONDS)
    if status == 429 or "Model is overloaded" in words:
        if "Model is overloaded" in words:
            words = (
                "The engine is full: it works on as many requests as it takes. Try again in a few seconds."
            )
        return Overloaded(_short(words), code=code, retry_after=again)
    if status in (502, 503, 504):
        return EngineUnavailable(
            _short(words), code=code if code != "unavailable" else None, retry_after=again
        )
    if status == 413:
        return BodyTooLarge("The request has more bytes than the engine takes. Shorten the prompt.")
    if status in (400, 422):
        return _of_refusal(words, asked)
    return EngineFailed(_short(words or f"The engine answered {status}."))


def _of_refusal(words: str, asked: Mapping[str, Any]) -> ApiError:
    if found := _TOTAL.search(words):
        most, prompt, answer = (int(number) for number in found.groups())
        return ContextTooLong(
            f"This model's maximum context length is {most} tokens. However, you requested {prompt + answer} "
            f"tokens ({prompt} in the prompt, {answer} for the answer). "
            "Shorten the prompt or lower max_tokens.",
            _named(asked, "messages", "prompt"),
        )
    if found := _INPUT.search(words):
        most, prompt = (int(number) for number in found.groups())
        return ContextTooLong(
            f"This model's maximum context length for a prompt is {most} tokens. However, your prompt has "
            f"{prompt} tokens. Shorten it.",
            _named(asked, "messages", "prompt"),
        )
    if found := _UNPARSED.search(words):
        return CallCut(_ESCAPE.sub(_unescaped, found[1]))
    if words.startswith("Tool error: "):
        return BadRequest(_short(words), "tools")
    if words.startswith("Template error: "):
        return BadRequest(
            f"The model's chat template refuses these messages: {_short(words[16:])}", "messages"
        )
    if words.startswith(("Request failed during generation", "Incomplete generation")):
        return EngineFailed(_short(words))
    if _GRAMMAR.search(words):
        return BadRequest(
            f"The schema cannot be followed: {_short(words)}",
            _named(asked, "response_format", "tools"),
            "invalid_schema",
        )
    return BadRequest(_short(words))


def _named(asked: Mapping[str, Any], *fields: str) -> str | None:
    """Which of these fields the request has."""
    return next((field for field in fields if field in asked), None)


def _unescaped(escape: re.Match[str]) -> str:
    """A character as Rust quotes it."""
    return chr(int(escape[1], 16)) if escape[1] else _ESCAPED.get(escape[2], escape[2])


def _short(words: str) -> str:
    return words if len(words) <= MOST_CHARACTERS else words[:MOST_CHARACTERS] + "…"
