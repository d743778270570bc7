"""A conversation in OpenAI's form to one in TGI's.

TGI takes a text or calls of a message, never both, and would write an image's link into the prompt.
"""

from __future__ import annotations

from typing import Any

import orjson

from openai_api import checks
from openai_api.checks import Json, invalid, unsupported, wrong_type
from openai_api.errors import BadRequest

ROLES = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_TEXTS = {"text": "text", "refusal": "refusal"}
"""Kinds of parts that are text, and the field that has it."""


def messages(fields: Json) -> list[Json]:
    """The engine's messages.

    Raises:
        BadRequest: with the place of what is wrong.
    """
    listed = checks.array(fields, "messages")
    if listed is None:
        raise BadRequest("Missing required parameter: 'messages'.", "messages", "missing_parameter")
    if not listed:
        raise invalid("messages", "expected at least one message, found none.")
    return [_message(message, f"messages[{index}]") for index, message in enumerate(listed)]


def _message(value: Any, where: str) -> Json:
    message = checks.as_object(value, where)
    role = checks.needed_text(message, "role", f"{where}.")
    if role not in ROLES:
        raise invalid(f"{where}.role", f"expected one of {', '.join(ROLES)}.")
    for field, instead in (("function_call", "send tool_calls."), ("audio", "this model reads text only.")):
        if message.get(field) is not None:
            raise unsupported(f"{where}.{field}", instead)
    calls = _calls(message, where) if role == "assistant" else []
    content = _content(message, where, can_be_null=role == "assistant")
    made: Json = {"role": ROLES[role]}
    if (name := checks.text(message, "name", f"{where}.")) is not None:
        made["name"] = name
    if calls and not content:
        made["tool_calls"] = calls
    elif calls:
        # as TGI itself writes calls into the prompt, which it would leave out beside a text
        made["content"] = f"{content}\n{orjson.dumps([_as_written(call) for call in calls]).decode()}"
    else:
        made["content"] = content
    return made


def _content(message: Json, where: str, can_be_null: bool) -> str:
    value: Any = message.get("content")
    where = f"{where}.content"
    if isinstance(value, str):
        return value
    if value is None and can_be_null:
        return ""
    if not isinstance(value, list):
        raise wrong_type(where, "a string or an array of parts", value)
    return "".join(_part(part, f"{where}[{index}]") for index, part in enumerate(value))


def _part(value: Any, where: str) -> str:
    part = checks.as_object(value, where)
    kind = checks.needed_text(part, "type", f"{where}.")
    if kind not in _TEXTS:
        raise BadRequest(
            f"Invalid value for '{where}': this model reads text only; send parts of type text.",
            where,
            "unsupported_content",
        )
    return checks.needed_text(part, _TEXTS[kind], f"{where}.")


def _calls(message: Json, where: str) -> list[Json]:
    listed = checks.array(message, "tool_calls", f"{where}.") or []
    return [_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(listed)]


def _call(value: Any, where: str) -> Json:
    call = checks.as_object(value, where)
    function = checks.mapping(call, "function", f"{where}.")
    if function is None:
        raise unsupported(where, "expected the call of a function.")
    return {
        "id": checks.text(call, "id", f"{where}.") or "0",
        "type": "function",
        "function": {
            "name": checks.needed_text(function, "name", f"{where}.function."),
            "arguments": checks.text(function, "arguments", f"{where}.function.") or "{}",
        },
    }


def _as_written(call: Json) -> Json:
    return {**call, "function": {"description": None, **call["function"]}}
