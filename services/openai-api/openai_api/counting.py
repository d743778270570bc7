"""How many tokens a request's prompt has: the engine's own tokenizer says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openai_api.checks import Json
from openai_api.engine import Engine
from openai_api.errors import EngineFailed


async def of_chat(engine: Engine, body: Json, caller: Mapping[str, str]) -> int:
    """Of a conversation with its tools, in TGI's form."""
    answer = await engine.answer("/chat_tokenize", body, caller)
    return _length(answer.get("tokenize_response") if isinstance(answer, dict) else None)


async def of_texts(engine: Engine, texts: Sequence[str], caller: Mapping[str, str]) -> int:
    """Of prompts as they are."""
    return sum([_length(await engine.answer("/tokenize", {"inputs": text}, caller)) for text in texts])


def _length(tokens: Any) -> int:
    if not isinstance(tokens, list):
        raise EngineFailed("The engine answered no list of tokens.")
    return len(tokens)
