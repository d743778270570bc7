"""A request of /v1/chat/completions in OpenAI's form to one in TGI's, by the table in `parameters`."""

from __future__ import annotations

from dataclasses import dataclass

from openai_api import checks
from openai_api.checks import Json, invalid, unsupported
from openai_api.formats import response_format
from openai_api.messages import messages
from openai_api.parameters import CHAT, screen
from openai_api.sampling import MOST_TOKENS, sampling, stops, streaming
from openai_api.tools import tools

MOST_TOP_LOGPROBS = 5
"""TGI's own default of --max-top-n-tokens."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to ask the engine, and what to make of its answer.

    Attributes:
        body: the engine's request.
        stops: texts that end the answer before them.
        top_logprobs: how many alternatives each token's place has; None without probabilities.
    """

    body: Json
    stream: bool
    include_usage: bool
    stops: tuple[str, ...]
    has_tools: bool
    top_logprobs: int | None


def chat_request(fields: Json) -> ChatRequest:
    """Translate.

    Raises:
        BadRequest: what cannot be, by name.
    """
    screen(fields, CHAT)
    body: Json = {"messages": messages(fields)}
    if (model := checks.text(fields, "model")) is not None:
        body["model"] = model
    most = checks.integer(fields, "max_completion_tokens", 1, MOST_TOKENS)
    least = checks.integer(fields, "max_tokens", 1, MOST_TOKENS)
    if most or least:
        body["max_tokens"] = most or least
    body |= sampling(fields) | _repetition(fields)
    ends = stops(fields)
    if ends:
        body["stop"] = ends
    top_logprobs = _top_logprobs(fields)
    if top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": top_logprobs}
    grammar, calls = response_format(fields), tools(fields)
    if grammar and calls:
        raise unsupported(
            "response_format", "not together with tools. Send one of them, or tool_choice none."
        )
    if grammar:
        body["response_format"] = grammar
    stream, include_usage = streaming(fields)
    if stream:
        body["stream"] = True
        if include_usage:
            body["stream_options"] = {"include_usage": True}
    return ChatRequest(body | calls, stream, include_usage, tuple(ends), bool(calls), top_logprobs)


def _repetition(fields: Json) -> Json:
    """The engine takes what is 2 lower, under another name."""
    penalty = checks.number(fields, "repetition_penalty", 0.01, 10)
    return {} if penalty is None or penalty == 1 else {"presence_penalty": penalty - 2}


def _top_logprobs(fields: Json) -> int | None:
    wanted = checks.boolean(fields, "logprobs")
    most = checks.integer(fields, "top_logprobs", 0, 20)
    if most and most > MOST_TOP_LOGPROBS:
        raise invalid("top_logprobs", f"expected at most {MOST_TOP_LOGPROBS}, found {most}.")
    if most and not wanted:
        raise invalid("top_logprobs", "only together with logprobs: true.")
    return (most or 0) if wanted else None
