"""A request of /v1/completions in OpenAI's form to one in TGI's, by the table in `parameters`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openai_api import checks
from openai_api.checks import Json, invalid, wrong_type
from openai_api.errors import BadRequest
from openai_api.parameters import COMPLETIONS, screen
from openai_api.sampling import MOST_TOKENS, sampling, stops, streaming

MOST_PROMPTS = 4
"""TGI's own default of --max-client-batch-size."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What to ask the engine, and what to make of its answer.

    Attributes:
        body: the engine's request.
        stops: texts that end an answer before them.
        echo: each prompt stands before its answer.
    """

    body: Json
    prompts: tuple[str, ...]
    stream: bool
    include_usage: bool
    stops: tuple[str, ...]
    echo: bool


def completion_request(fields: Json) -> CompletionRequest:
    """Translate.

    Raises:
        BadRequest: what cannot be, by name.
    """
    screen(fields, COMPLETIONS)
    texts = prompts(fields.get("prompt"))
    body: Json = {"prompt": list(texts)}
    if (model := checks.text(fields, "model")) is not None:
        body["model"] = model
    if most := checks.integer(fields, "max_tokens", 1, MOST_TOKENS):
        body["max_tokens"] = most
    body |= sampling(fields)
    ends = stops(fields)
    if ends:
        body["stop"] = ends
    stream, include_usage = streaming(fields)
    if stream:
        body["stream"] = True
    echo = checks.boolean(fields, "echo")
    return CompletionRequest(body, texts, stream, include_usage, tuple(ends), echo)


def prompts(value: Any) -> tuple[str, ...]:
    """The texts to complete.

    Raises:
        BadRequest: it is none, or too many.
    """
    if value is None:
        raise BadRequest("Missing required parameter: 'prompt'.", "prompt", "missing_parameter")
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise wrong_type("prompt", "a string or an array of strings, not of token numbers", value)
    if not 1 <= len(listed) <= MOST_PROMPTS:
        raise invalid("prompt", f"expected 1 to {MOST_PROMPTS} texts, found {len(listed)}.")
    if not all(listed):
        raise invalid("prompt", "a text is empty.")
    return tuple(listed)
