"""Is there a chat template, and does it render? Owns where templates are found and how they are tried."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

_PROBE = "a question of the user"
_MESSAGES = [{"role": "user", "content": _PROBE}]


class TemplateError(Exception):
    """Why a model can't chat, as `expected …, found …`."""


def find_template(read: Callable[[str], bytes], names: Mapping[str, object]) -> str:
    """The template's text: a file of its own, or an entry of tokenizer_config.json.

    Raises:
        TemplateError: there is none.
    """
    if "chat_template.jinja" in names:
        return read("chat_template.jinja").decode()
    for name in ("tokenizer_config.json", "chat_template.json"):
        template = json.loads(read(name)).get("chat_template") if name in names else None
        if isinstance(template, list):
            template = {entry["name"]: entry["template"] for entry in template}.get("default")
        if isinstance(template, str):
            return template
    raise TemplateError(
        "expected a chat template in chat_template.jinja or tokenizer_config.json, found none; use the "
        "model's instruction-tuned variant"
    )


def check_template(template: str, special_tokens: Mapping[str, Any]) -> None:
    """Render one question with it, in a sandbox, as the engines do.

    Raises:
        TemplateError: it does not render, or loses the question.
    """
    from jinja2 import TemplateError as JinjaError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise JinjaError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False)
    environment.globals |= {
        "raise_exception": refuse,
        "strftime_now": lambda form: datetime.now(UTC).strftime(form),
    }
    tokens = {name: _token(special_tokens.get(name)) for name in ("bos_token", "eos_token", "pad_token")}
    try:
        text = environment.from_string(template).render(
            messages=_MESSAGES, add_generation_prompt=True, tools=None, documents=None, **tokens
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise TemplateError(
            f"expected a chat template that renders, found {type(error).__name__}: {reason}"
        ) from error
    if _PROBE not in text:
        raise TemplateError(
            "expected the chat template to render the user's message, found it missing in the result"
        )


def _token(value: Any) -> str:
    """A special token is its text, or an object with its text."""
    return str(value.get("content", "")) if isinstance(value, dict) else value or ""
