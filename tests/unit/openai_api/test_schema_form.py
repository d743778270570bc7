"""Schemas in the form that the engine understands, and the sentences for those that have none."""

from __future__ import annotations

from typing import Any

import pytest

from openai_api.errors import BadRequest, SchemaTooLarge
from openai_api.schema_form import plain

TEXT = {"type": "string"}


def _of(inner: Any, **beside: Any) -> Any:
    return {"type": "object", "properties": {"a": inner}, **beside}


@pytest.mark.parametrize(
    ("inner", "becomes"),
    [
        ({"type": "string", "title": "A", "description": "b", "examples": ["c"], "default": "d"}, TEXT),
        ({"type": "string", "format": "email"}, TEXT),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "pattern": "^a|b$"}, {"type": "string", "pattern": "^([a]|[b])$"}),
        ({"title": "Anything"}, {}),
        (True, {}),
        ({"$ref": "#/$defs/T", "description": "b"}, TEXT),
        ({"allOf": [{"$ref": "#/$defs/T"}], "default": "d"}, TEXT),
        (
            {"allOf": [_of(TEXT, required=["a"]), {"properties": {"b": TEXT}, "required": ["b"]}]},
            {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]},
        ),
        ({"type": "array", "items": {"$ref": "#/$defs/T"}}, {"type": "array", "items": TEXT}),
        ({"oneOf": [{"$ref": "#/$defs/T"}, {"type": "null"}]}, {"oneOf": [TEXT, {"type": "null"}]}),
        (_of(TEXT, additionalProperties=False), _of(TEXT)),
        ({"type": "object", "additionalProperties": False}, {"type": "object", "properties": {}}),
        (
            {"type": "object", "additionalProperties": {"title": "T", **TEXT}},
            {"type": "object", "additionalProperties": TEXT},
        ),
        (_of(TEXT, required=["a", "gone"]), _of(TEXT, required=["a"])),
    ],
)
def test_what_becomes_of_a_part(inner: Any, becomes: Any) -> None:
    assert plain(_of(inner, **{"$defs": {"T": {"title": "T", **TEXT}}})) == _of(becomes)


def test_a_root_that_is_a_reference() -> None:
    assert plain({"$ref": "#/$defs/R", "$defs": {"R": _of(TEXT)}}) == _of(TEXT)


def test_a_property_may_have_any_name() -> None:
    named = {"properties": {"title": TEXT, "$ref": TEXT, "not": TEXT, "a/b~c": TEXT}}
    assert plain(named) == named
    assert plain(_of({"$ref": "#/$defs/a~1b~0c"}, **{"$defs": {"a/b~c": TEXT}})) == _of(TEXT)


def test_recursion_is_refused_by_name() -> None:
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}
    sentence = (
        r"The schema at next\.anyOf\[0\] refers to itself \(#/\$defs/Node\): a grammar has no such loops\. "
        "Write out as many levels as you need"
    )
    with pytest.raises(BadRequest, match=sentence):
        plain({"$ref": "#/$defs/Node", "$defs": {"Node": node}})


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (None, "The schema is no schema"),
        (_of({"not": TEXT}), "at a has 'not', which a grammar cannot express"),
        (_of({"$ref": "#/$defs/X"}), "at a refers to #/\\$defs/X, which is not in the schema"),
        (_of({"$ref": "https://example.org/x"}), "only what stands in the schema itself"),
        (_of({"enum": []}), "at a has an empty 'enum'"),
        (_of({"enum": list(range(501))}), "at a has an 'enum' of 501 values; the bound is 500"),
        (_of({"enum": [{"b": 1}]}), "only simple values"),
        (_of({"const": [1]}), "only simple values"),
        (_of({"minLength": 3, "maxLength": 2, **TEXT}), "minLength above its maxLength"),
        (_of({"pattern": "(?=a)", **TEXT}), "at a has a 'pattern' that looks ahead or back"),
        (
            _of({"pattern": "(a|b)*a(a|b){12}", **TEXT}),
            "a 'pattern' that has 500 states or more as a grammar",
        ),
        (_of({"pattern": "a{500}", **TEXT}), "a 'pattern' that has 500 states or more as a grammar"),
        (_of({"allOf": [TEXT, {"type": "null"}]}), "'allOf' whose parts differ in 'type'"),
        (_of({"minLength": 3}), "at a has no 'type'"),
        (_of({"items": 3, "type": "array"}), r"at a\[\] is no schema"),
        ({"properties": 3}, "'properties' that are no object"),
        ({"type": "array", "items": TEXT}, "has no properties: an answer by a schema is an object"),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself"),
    ],
)
def test_what_is_refused(schema: Any, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        plain(schema)


@pytest.mark.parametrize("word", ["items", "allOf", "anyOf", "additionalProperties"])
def test_no_depth_is_too_deep_to_be_refused(word: str) -> None:
    inner: Any = TEXT
    for _ in range(900):
        inner = (
            {"type": "array", "items": inner}
            if word == "items"
            else {word: inner if word[-1] == "s" else [inner]}
        )
    with pytest.raises(SchemaTooLarge, match="more than 10,000 parts or 64 levels"):
        plain(_of(inner))


@pytest.mark.parametrize(
    "many",
    [
        {f"p{index}": {"pattern": f"(a|b)*a(a|b){{6}}{index}", **TEXT} for index in range(200)},
        {f"p{index}": {"enum": [f"{index} {'x' * 90} {n}" for n in range(100)]} for index in range(10)},
    ],
)
def test_many_patterns_and_enums_are_too_many_before_they_take_long(many: Any) -> None:
    with pytest.raises(SchemaTooLarge, match="more than 10,000 parts"):
        plain({"type": "object", "properties": many})
