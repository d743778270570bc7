"""Instructor, in its three ways to get a structure."""

from __future__ import annotations

from typing import Any

import instructor
from instructor.core import IncompleteOutputException
from openai import OpenAI
from pydantic import BaseModel, ConfigDict

from clients.asked import DESCRIBED, LIMIT, MODEL, Cut, Person, until_whole


class Anything(BaseModel):
    """What a model that is only told to write JSON may write."""

    model_config = ConfigDict(extra="allow")


def _asked(base_url: str, mode: instructor.Mode, form: type[BaseModel], **options: Any) -> None:
    client = instructor.from_openai(OpenAI(base_url=base_url, api_key="none", max_retries=0), mode=mode)
    found = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": DESCRIBED}],
        response_model=form,
        max_retries=0,
        **{"max_tokens": LIMIT, "temperature": 0, **options},
    )
    assert isinstance(found, form)


def can_call_tools(base_url: str) -> None:
    _asked(base_url, instructor.Mode.TOOLS, Person)


def can_take_json(base_url: str) -> None:
    def ask(sampling: dict[str, Any]) -> None:
        try:
            _asked(base_url, instructor.Mode.JSON, Anything, **sampling)
        except IncompleteOutputException as error:
            raise Cut from error

    until_whole(ask)


def can_take_a_schema(base_url: str) -> None:
    _asked(base_url, instructor.Mode.JSON_SCHEMA, Person)
