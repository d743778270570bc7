"""The clients that TGI's own users have: Hugging Face's InferenceClient, and text-generation."""

from __future__ import annotations

import json
from typing import Any

import huggingface_hub
import pytest
import text_generation
from huggingface_hub import InferenceClient

from clients.asked import LIMIT, Cut, until_whole
from harness.stack import Stack
from harness.waiting import in_some_answer

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
    asked: Any = {"max_tokens": 8, "temperature": 0, "stop": ["\n\n"]}

    def streamed() -> str:
        pieces = hub.chat_completion(HELLO, stream=True, **asked)
        return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)

    def whole() -> str:
        answer = hub.chat_completion(HELLO, top_p=1.0, presence_penalty=0, **asked)
        return str(answer.choices[0].message.content)

    assert in_some_answer(lambda: streamed() == whole())


def test_inference_client_calls_tools(hub: InferenceClient) -> None:
    answer = hub.chat_completion(
        WEATHER, tools=TOOLS, tool_choice="required", max_tokens=LIMIT, temperature=0
    )
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

    def ask(sampling: dict[str, Any]) -> str:
        answer = hub.chat_completion(asked, response_format=forms[kind], max_tokens=LIMIT, **sampling)
        if answer.choices[0].finish_reason == "length":
            raise Cut
        return answer.choices[0].message.content or ""

    found = json.loads(until_whole(ask))
    assert isinstance(found, dict)
    assert kind == "json_object" or found["city"] in ("Paris", "Rome")


def test_inference_client_has_tgis_own(plain: InferenceClient) -> None:
    found = plain.text_generation(
        PROMPT, max_new_tokens=4, details=True, do_sample=True, best_of=2, typical_p=0.9, top_n_tokens=2
    )
    assert found.details
    assert 0 < found.details.generated_tokens <= 4
    three_digits: Any = {"type": "regex", "value": "[0-9]{3}"}
    digits = plain.text_generation(PROMPT, max_new_tokens=20, grammar=three_digits, return_full_text=False)
    assert len(digits) == 3
    assert digits.isdigit()
    with pytest.raises(huggingface_hub.errors.ValidationError, match=r"`top_p` must be > 0\.0 and < 1\.0"):
        plain.text_generation(PROMPT, top_p=1.0)


def test_text_generation(stack: Stack) -> None:
    client = text_generation.Client(stack.url, timeout=120)

    def streamed() -> str:
        pieces = client.generate_stream(PROMPT, max_new_tokens=4)
        return "".join(piece.token.text for piece in pieces if not piece.token.special)

    assert in_some_answer(lambda: streamed() == client.generate(PROMPT, max_new_tokens=4).generated_text)
    chat = client.chat(
        [text_generation.types.Message(role="user", content="Say hello.")], max_tokens=8, temperature=0
    )
    assert isinstance(chat.choices[0].message.content, str)
    with pytest.raises(text_generation.errors.ValidationError, match="top_p"):
        client.generate(PROMPT, top_p=1.0)
