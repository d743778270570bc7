"""Grammars of `response_format`: any JSON object, schemas that fit, those that would keep others waiting."""

from __future__ import annotations

import json
import logging
import re
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from cpu_engine.llama.gbnf import grammar_of
from cpu_engine.tgi.schema import schema_pattern
from openai_api import json_grammar
from openai_api.errors import BadRequest, SchemaTooLarge
from openai_api.json_grammar import ANY_JSON_OBJECT, check_schema, check_tools

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")))
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT


def _inside(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, max_size=2) | st.dictionaries(TEXT, values, max_size=2)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(TEXT, _inside(_inside(SIMPLE)), max_size=3), st.sampled_from([(",", ":"), (", ", ": ")])
)
def test_an_object_with_two_levels_in_it_can_be_said(
    value: dict[str, Any], separators: tuple[str, str]
) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=separators)
    assert re.fullmatch(ANY_JSON_OBJECT, text)


@settings(max_examples=25, deadline=None)
@given(st.from_regex(ANY_JSON_OBJECT, fullmatch=True))
def test_whatever_can_be_said_is_an_object(text: str) -> None:
    assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"a":}', '{"a":1,}', '{"a" 1}', "{'a':1}", '{"a":01}', '{"a":"\n"}', "{}x"]
)
def test_nothing_else_can(text: str) -> None:
    assert not re.fullmatch(ANY_JSON_OBJECT, text)


def test_the_trial_engine_reads_it_too() -> None:
    assert grammar_of(ANY_JSON_OBJECT).startswith("root ::= ")


class Address(BaseModel):
    """A nested one."""

    city: str
    postcode: str = Field(pattern=r"^\d{5}$")


class Person(BaseModel):
    """What pydantic makes of the usual kinds of fields."""

    title: str
    age: int = Field(ge=0, description="in years")
    mood: Literal["happy", "sad"] | None = None
    addresses: list[Address] = []
    home: Address | None = None


def _fits(schema: Any, text: str) -> bool:
    return re.fullmatch(schema_pattern(check_schema(schema)), text) is not None


def test_a_model_of_pydantics() -> None:
    schema = Person.model_json_schema()
    assert check_schema(schema)["properties"]["age"] == {"type": "integer"}
    assert _fits(schema, '{"title":"Dr","age":3,"mood":null,"addresses":[{"city":"X","postcode":"12345"}]}')
    assert not _fits(schema, '{"title":"Dr","age":3,"home":{"city":"X","postcode":"1234"}}')
    assert "$ref" not in json.dumps(check_schema(schema)), "TGI would look for it in the tool's own schema"


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _strings(count: int) -> dict[str, Any]:
    return _object(**{f"field_{index}": {"type": "string"} for index in range(count)})


@pytest.mark.parametrize(
    "schema",
    [
        _strings(12),
        _object(**{f"f{index}": {"type": "boolean"} for index in range(20)}),
        _object(e={"enum": [f"value-{index}" for index in range(200)]}),
        _object(l={"type": "array", "items": {"type": "integer"}, "maxItems": 20}),
        _object(s={"type": "string", "maxLength": 40}),
        _object(o={"type": "object", "additionalProperties": {"type": "string"}}),
        _object(o={"type": "object"}),
    ],
)
def test_schemas_that_are_taken(schema: dict[str, Any]) -> None:
    assert check_schema(schema) == schema


@pytest.mark.parametrize(
    "schema",
    [
        _strings(40),
        {**_object(**{f"field_{index}": {"type": "null"} for index in range(60)}), "required": []},
        _object(**{f"e{index}": {"enum": [f"value-{n}" for n in range(500)]} for index in range(4)}),
        _object(s={"type": "string", "pattern": "^[一-龥]{60}$"}),
        _object(e={"enum": [str(index * 7919 % 99991) * 3 for index in range(500)]}),
        _object(s={"type": "string", "maxLength": 100}),
        _object(s={"type": "string", "pattern": "[a-z]{480}"}),
        _object(l={"type": "array", "items": _strings(3), "maxItems": 20}),
        _object(
            l={
                "type": "array",
                "items": {"type": "array", "items": {"enum": ["a"]}, "maxItems": 99},
                "maxItems": 99,
            }
        ),
        _object(a={}, b={}),
        _object(l={"type": "array", "items": {"type": "integer"}, "minItems": 10**9}),
    ],
)
def test_schemas_that_would_keep_everybody_waiting(schema: dict[str, Any]) -> None:
    with pytest.raises(
        SchemaTooLarge, match=r"for about [\d,]+ seconds .*; the bound is 10 seconds\. Ask for fewer"
    ):
        check_schema(schema)


def test_what_takes_more_than_a_second_is_said_in_the_log_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_grammar, "_said", set())
    with caplog.at_level(logging.INFO, "openai_api"):
        check_schema(_object(i={"type": "integer"}))
        assert not caplog.messages
        check_schema(_strings(5))
        check_schema(_strings(5))
    assert caplog.messages == ["The schema may stop all answers for about 3 seconds, once for each engine"]


def test_tools_are_one_grammar() -> None:
    functions = {f"tool_{index}": check_schema(_strings(3)) for index in range(30)}
    check_tools({"tool_0": functions["tool_0"], "none": {}})
    with pytest.raises(SchemaTooLarge, match=r"^The tools together .* Offer fewer tools"):
        check_tools(functions)


def test_a_schema_of_a_thousand_doublings_is_refused_at_once() -> None:
    levels = {
        f"L{index}": _object(a={"$ref": f"#/$defs/L{index + 1}"}, b={"$ref": f"#/$defs/L{index + 1}"})
        for index in range(60)
    }
    schema = {**_object(a={"$ref": "#/$defs/L0"}), "$defs": {**levels, "L60": {"type": "null"}}}
    with pytest.raises(BadRequest, match="too large"):
        check_schema(schema)


@pytest.mark.parametrize("pattern", ["a-" * 200, "(" * 49 + '"' + "|b)" * 49, "[" + "acegi" * 190 + "]{10}"])
def test_a_pattern_at_its_bounds_is_judged_by_what_it_costs(pattern: str) -> None:
    schema = _object(s={"type": "string", "pattern": pattern})
    assert check_schema(schema, most_seconds=1000)["properties"]["s"]["pattern"]
