"""The table of parameters is what the translators do, and has every parameter of the openai package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from openai.resources.chat.completions import Completions as ChatCompletions
from openai.resources.completions import Completions

from openai_api import tgi_form
from openai_api.chat import chat_request
from openai_api.completions import completion_request
from openai_api.errors import BadRequest
from openai_api.parameters import CHAT, COMPLETIONS, Fate, Parameter

OF_THE_PACKAGE = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
NEEDED: dict[str, Any] = {"messages": [{"role": "user", "content": "a"}], "prompt": "a"}
BOTH = pytest.mark.parametrize(
    ("table", "translate", "create"),
    [
        (CHAT, chat_request, ChatCompletions.create),
        (COMPLETIONS, completion_request, Completions.create),
    ],
    ids=["chat", "completions"],
)
Table = Mapping[str, Parameter]


class Watched(dict[str, Any]):
    """Fields that remember which of them were read by name."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


@BOTH
def test_every_parameter_of_the_package_is_in_the_table(
    table: Table, translate: Callable[..., Any], create: Callable[..., Any]
) -> None:
    assert set(inspect.signature(create).parameters) - OF_THE_PACKAGE - set(table) == set()


@BOTH
def test_what_is_obeyed_or_changed_is_read_and_nothing_else(
    table: Table, translate: Callable[..., Any], create: Callable[..., Any]
) -> None:
    fields = Watched({name: value for name, value in NEEDED.items() if name in table})
    translate(fields)
    # the model's name is only passed on
    assert fields.read == {name for name, row in table.items() if row.fate in (Fate.OBEYED, Fate.CHANGED)}


@BOTH
def test_what_is_refused_is_refused_with_its_note_and_a_neutral_value_is_not(
    table: Table, translate: Callable[..., Any], create: Callable[..., Any]
) -> None:
    needed = {name: value for name, value in NEEDED.items() if name in table}
    for name, row in table.items():
        if row.fate is not Fate.REFUSED:
            continue
        assert row.note and row.chinese, name
        with pytest.raises(BadRequest) as refused:
            translate({**needed, name: "something"})
        assert row.note in str(refused.value)
        for value in row.neutral:
            translate({**needed, name: value})


@BOTH
def test_what_is_changed_or_ignored_says_how_in_both_languages(
    table: Table, translate: Callable[..., Any], create: Callable[..., Any]
) -> None:
    silent = [
        name for name, row in table.items() if row.fate is not Fate.OBEYED and not (row.note and row.chinese)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("fields", "is_tgis"),
    [
        ({"response_format": {"type": "regex", "value": "a"}}, True),
        ({"response_format": {"type": "json_object", "value": {}}}, True),
        ({"response_format": {"type": "json"}}, True),
        ({"tool_prompt": "Choose."}, True),
        ({"guideline": "be nice"}, True),
        ({"tools": [{"type": "function", "function": {"name": "f", "arguments": {}}}]}, True),
        ({"response_format": {"type": "json_object"}}, False),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, False),
        ({"tool_prompt": None, "response_format": None, "tools": None}, False),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}, 1]}, False),
        ({"tools": 1, "response_format": 1}, False),
    ],
)
def test_a_chat_is_in_tgis_form_when_it_has_what_openais_api_has_not(fields: Any, is_tgis: bool) -> None:
    assert tgi_form.chat_is(fields) is is_tgis


def test_a_completion_is_in_tgis_form_with_a_repetition_penalty() -> None:
    assert tgi_form.completion_is({"prompt": "a", "repetition_penalty": 1.1})
    assert not tgi_form.completion_is({"prompt": "a", "repetition_penalty": None})
