"""Which requests are in TGI's own form: they have what OpenAI's API has not, and go on as they are.

The one place that decides it. A field that TGI itself ignores on /v1 is no such sign.
"""

from __future__ import annotations

from typing import Any

from openai_api.checks import Json

_FORMATS = ("json", "regex")


def chat_is(fields: Json) -> bool:
    """Of /v1/chat/completions: `tool_prompt`, a grammar with a `value`, or a tool with `arguments`."""
    return (
        fields.get("tool_prompt") is not None
        or fields.get("guideline") is not None
        or _is_grammar(fields.get("response_format"))
        or _has_arguments(fields.get("tools"))
    )


def completion_is(fields: Json) -> bool:
    """Of /v1/completions: `repetition_penalty`."""
    return fields.get("repetition_penalty") is not None


def _is_grammar(value: Any) -> bool:
    return isinstance(value, dict) and ("value" in value or value.get("type") in _FORMATS)


def _has_arguments(tools: Any) -> bool:
    if not isinstance(tools, list):
        return False
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return any(isinstance(function, dict) and "arguments" in function for function in functions)
