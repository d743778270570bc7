"""What an engine of one's own cannot do: refused by name, by the exception of OpenAI's package that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI

from harness.caller import MODEL
from harness.openai_asking import chat

IMAGE: Any = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    }
]
Ask = Callable[[OpenAI], object]
REFUSED: dict[str, tuple[Ask, type[openai.APIStatusError], str, str | None]] = {
    "logit_bias": (
        lambda c: chat(c, logit_bias={"50256": -100}),
        *(openai.BadRequestError, "Unsupported parameter 'logit_bias'", "logit_bias"),
    ),
    "two answers": (lambda c: chat(c, n=2), openai.BadRequestError, "send several requests", "n"),
    "a presence penalty": (
        lambda c: chat(c, presence_penalty=0.5),
        *(openai.BadRequestError, "use frequency_penalty", "presence_penalty"),
    ),
    "an image": (
        lambda c: chat(c, messages=IMAGE),
        *(openai.BadRequestError, "this model reads text only", "messages[0].content[1]"),
    ),
    "too long": (
        lambda c: chat(c, messages=[{"role": "user", "content": "word " * 9000}]),
        *(openai.BadRequestError, "maximum context length", "messages"),
    ),
    "a bad temperature": (
        lambda c: chat(c, temperature=-1),
        *(openai.BadRequestError, "expected a number from 0 to 2", "temperature"),
    ),
    "a bad temperature, streamed": (
        lambda c: chat(c, temperature=-1, stream=True),
        *(openai.BadRequestError, "expected a number from 0 to 2", "temperature"),
    ),
    "too long, streamed": (
        lambda c: chat(c, messages=[{"role": "user", "content": "word " * 9000}], stream=True),
        *(openai.BadRequestError, "maximum context length", "messages"),
    ),
    "an unknown parameter": (
        lambda c: chat(c, extra_body={"best_off": 2}),
        *(openai.BadRequestError, "Unknown parameter: 'best_off'", "best_off"),
    ),
    "probabilities of a completion": (
        lambda c: c.completions.create(model=MODEL, prompt="The capital", logprobs=1),
        *(openai.BadRequestError, "/v1/chat/completions has logprobs", "logprobs"),
    ),
    "another model": (
        lambda c: c.models.retrieve("gpt-4o"),
        *(openai.NotFoundError, "does not exist", "model"),
    ),
    "embeddings": (
        lambda c: c.embeddings.create(model=MODEL, input="a"),
        *(openai.NotFoundError, "No such route", None),
    ),
    "responses": (
        lambda c: c.responses.create(model=MODEL, input="Say hello."),
        *(openai.NotFoundError, "No such route", None),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_by_name(client: OpenAI, name: str) -> None:
    ask, kind, sentence, param = REFUSED[name]
    with pytest.raises(kind) as refused:
        ask(client)
    assert sentence in refused.value.message
    assert refused.value.param == param
    assert refused.value.code
    assert refused.value.type == "invalid_request_error"
