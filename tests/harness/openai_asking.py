"""A short question with the official `openai` package."""

from __future__ import annotations

from typing import Any

from openai import OpenAI
from openai.types.chat import ChatCompletion

from harness.caller import MODEL

HELLO: Any = [{"role": "user", "content": "Say hello."}]


def chat(client: OpenAI, **options: Any) -> ChatCompletion:
    asked = {"model": MODEL, "messages": HELLO, "max_tokens": 16, "temperature": 0, **options}
    answer: ChatCompletion = client.chat.completions.create(**asked)
    return answer
