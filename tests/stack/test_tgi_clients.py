"""The clients that TGI's own users have: Hugging Face's InferenceClient, and text-generation."""

from __future__ import annotations

import json
from typing import Any

import huggingface_hub
import pytest
import text_generation
from huggingface_hub import InferenceClient

from harness.stack import Stack

HELLO: Any = [{"role": "user", "content": "Say hello."}]
WEATHER: Any = [{"role": "user", "content": "Weather in Paris?"}]
PROMPT = "The capital of France is"
CITY = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
TOOLS: Any = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": CITY}}
]


@pytest.fixture(scope="module")
def hub(stack: Stack) -> InferenceClient:
    """The chat's routes are below the base URL."""
    return InferenceClient(base_url=stack.url, api_key="none")


@pytest.fixture(scope="module")
def plain(stack: Stack) -> InferenceClient:
    return InferenceClient(model=stack.url)


def test_inference_client_chats(hub: InferenceClient) -> None:
    whole = hub.chat_completion(
        HELLO, max_tokens=8, temperature=0, top_p=1.0, presence_penalty=0, stop=["\n\n"]
    )
    pieces = hub.chat_completion(HELLO, max_tokens=8, temperature=0, stop=["\n\n"], stream=True)
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text == whole.choices[0].message.content != ""


def test_inference_client_calls_tools(hub: InferenceClient) -> None:
    answer = hub.chat_completion(WEATHER, tools=TOOLS, tool_choice="required", max_tokens=60, temperature=0)
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    arguments = call.function.arguments
    assert (json.loads(arguments) if isinstance(arguments, str) else arguments)["city"] in ("Paris", "Rome")


@pytest.mark.parametrize("kind", ["json_schema", "json", "json_object"])
def test_inference_client_gets_json(hub: InferenceClient, kind: str) -> None:
    """In OpenAI's form, in TGI's, and without a schema."""
    forms: dict[str, Any] = {
        "json_schema": {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}},
        "json": {"type": "json", "value": CITY},
        "json_object": {"type": "json_object"},
    }
    asked: Any = [{"role": "user", "content": 'Repeat: {"city": "Rome"}'}]
    answer = hub.chat_completion(asked, response_format=forms[kind], max_tokens=60, temperature=0)
    assert json.loads(answer.choices[0].message.content or "")["city"] in ("Paris", "Rome")


def test_inference_client_has_tgis_own(plain: InferenceClient) -> None:
    found = plain.text_generation(
        PROMPT, max_new_tokens=4, details=True, do_sample=True, best_of=2, typical_p=0.9, top_n_tokens=2
    )
    assert found.details
    assert found.details.generated_tokens == 4
    three_digits: Any = {"type": "regex", "value": "[0-9]{3}"}
    digits = plain.text_generation(PROMPT, max_new_tokens=20, grammar=three_digits, return_full_text=False)
    assert len(digits) == 3
    assert digits.isdigit()
    with pytest.raises(huggingface_hub.errors.ValidationError, match=r"`top_p` must be > 0\.0 and < 1\.0"):
        plain.text_generation(PROMPT, top_p=1.0)


def test_text_generation(stack: Stack) -> None:
    client = text_generation.Client(stack.url, timeout=120)
    whole = client.generate(PROMPT, max_new_tokens=4)
    pieces = [piece.token.text for piece in client.generate_stream(PROMPT, max_new_tokens=4)]
    assert "".join(pieces) == whole.generated_text != ""
    chat = client.chat(
        [text_generation.types.Message(role="user", content="Say hello.")], max_tokens=8, temperature=0
    )
    assert chat.choices[0].message.content
    with pytest.raises(text_generation.errors.ValidationError, match="top_p"):
        client.generate(PROMPT, top_p=1.0)
