"""Pydantic AI, with OpenAI's chat model."""

from __future__ import annotations

from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from clients.asked import DESCRIBED, HELLO, LIMIT, MODEL, Person


def _agent(base_url: str, **options: object) -> Agent:
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=base_url, api_key="none"))
    return Agent(model, model_settings=ModelSettings(temperature=0, max_tokens=LIMIT), **options)


def can_answer(base_url: str) -> None:
    result = _agent(base_url).run_sync(HELLO)
    assert isinstance(result.output, str)
    assert 0 < result.usage.output_tokens <= LIMIT


def can_structure_by_tools(base_url: str) -> None:
    assert isinstance(_agent(base_url, output_type=Person).run_sync(DESCRIBED).output, Person)


def can_structure_by_schema(base_url: str) -> None:
    assert isinstance(_agent(base_url, output_type=NativeOutput(Person)).run_sync(DESCRIBED).output, Person)
