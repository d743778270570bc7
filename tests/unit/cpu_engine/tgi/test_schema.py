"""JSON schemas as regular expressions, and the words in which TGI refuses them."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import pytest

from cpu_engine.tgi.errors import ValidationError
from cpu_engine.tgi.schema import MAX_EFFORT, schema_pattern
from cpu_engine.tgi.shapes import Grammar
from cpu_engine.tgi.validation import grammar_pattern

PERSON = {"properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}


def _object(**properties: Any) -> dict[str, Any]:
    return {"properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        (PERSON, '{ "name": "John", "age": 30}', '{"age": 30, "name": "John"}'),
        (PERSON, '{"name":"\\"é","age":-1}', '{"name": "a\nb", "age": 1}'),
        ({"properties": {"a": {"type": "null"}, "b": {"type": "boolean"}}}, "{}", '{"a": null,}'),
        (
            {"properties": {"a": {"type": "null"}, "b": {"type": "boolean"}}},
            '{"b":true}',
            '{"b":true,"a":null}',
        ),
        ({**PERSON, "required": ["age"]}, '{"age": 1}', '{"name": "x"}'),
        ({**PERSON, "required": ["name"]}, '{"name": "x", "age": 3}', '{"name": "x",}'),
        (_object(c={"enum": ["red", 1, None, "a.b"]}), '{"c": "a.b"}', '{"c": "axb"}'),
        (_object(c={"const": "x"}), '{"c": "x"}', '{"c": "y"}'),
        (_object(n={"type": "number"}), '{"n": -1.5e+3}', '{"n": 01}'),
        (_object(n={"type": ["integer", "null"]}), '{"n": null}', '{"n": "1"}'),
        (
            _object(l={"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}),
            '{"l": [1, 2]}',
            '{"l": [1,2,3]}',
        ),
        (_object(l={"type": "array", "items": {"type": "integer"}}), '{"l": []}', '{"l": ["a"]}'),
        (_object(l={"type": "array", "maxItems": 0}), '{"l": []}', '{"l": [1]}'),
        (
            _object(l={"prefixItems": [{"type": "integer"}, {"type": "null"}]}),
            '{"l": [1, null]}',
            '{"l": [1]}',
        ),
        (_object(o={"type": "object"}), '{"o": {"x": [1, {"y": 2}]}}', '{"o": 1}'),
        (
            _object(o={"type": "object", "additionalProperties": {"type": "integer"}}),
            '{"o": {"x": 1}}',
            '{"o": {"x": "y"}}',
        ),
        (_object(a={}), '{"a": [true]}', '{"a": }'),
        (_object(s={"type": "string", "minLength": 2, "maxLength": 3}), '{"s": "abc"}', '{"s": "a"}'),
        (_object(s={"type": "string", "pattern": "^[a-c]+$"}), '{"s": "abc"}', '{"s": "d"}'),
        (_object(s={"type": "string", "format": "date"}), '{"s": "2026-11-27"}', '{"s": "2026-13-27"}'),
        (
            _object(x={"anyOf": [{"type": "null"}, {"$ref": "#/$defs/P"}]}) | {"$defs": {"P": PERSON}},
            '{"x": {"name": "a", "age": 1}}',
            '{"x": 1}',
        ),
        (_object(x={"oneOf": [{"const": 1}, {"const": 2}]}), '{"x": 2}', '{"x": 3}'),
    ],
)
def test_what_fits(schema: dict[str, Any], fits: str, does_not: str) -> None:
    pattern = schema_pattern(schema)
    json.loads(fits)
    assert re.fullmatch(pattern, fits)
    assert not re.fullmatch(pattern, does_not)


def test_a_schema_inside_itself_is_followed_a_few_times() -> None:
    tree = {"properties": {"v": {"type": "integer"}, "next": {"$ref": "#"}}, "required": ["v"]}
    pattern = schema_pattern(tree)
    assert re.fullmatch(pattern, '{"v": 1, "next": {"v": 2}}')


def test_a_reference_that_is_left_out_costs_only_the_member_that_needs_it() -> None:
    endless = {"anyOf": [{"$ref": "#/$defs/endless"}, {"type": "null"}]}
    schema = _object(a={"$ref": "#/$defs/endless"}, z={"$ref": "#/$defs/one"})
    pattern = schema_pattern({**schema, "$defs": {"endless": endless, "one": {"const": 1}}})
    assert re.fullmatch(pattern, '{"z": 1}')
    assert not re.fullmatch(pattern, "{}")


def _nested(leaf: dict[str, Any], levels: int) -> dict[str, Any]:
    for _ in range(levels):
        leaf = {"additionalProperties": leaf, "type": "object"}
    return leaf


@pytest.mark.parametrize(
    "schema",
    [
        _object(a=_nested({"$ref": "#"}, 100)),
        _object(a=_nested({"$ref": "#/properties/a"}, 100)),
        _object(a=_nested({"anyOf": [{"$ref": "#"}, {"$ref": "#/properties/a"}]}, 50)),
    ],
)
def test_how_deep_references_lead_is_bounded(schema: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="cannot compile regex from schema: the schema is too deep"):
        grammar_pattern(Grammar(schema, is_regex=False))


@pytest.mark.parametrize(
    "target",
    [
        {"type": [["null"]]},
        {"type": {}},
        {"type": None},
        {"properties": 5},
        {"properties": {}, "required": 5},
    ],
)
@pytest.mark.parametrize("place", ["$defs", "additionalProperties", "x"])
def test_what_is_no_schema_is_refused_wherever_it_stands(target: dict[str, Any], place: str) -> None:
    schema = {
        "$defs": _object(a={"$ref": "#/$defs/t"}) | {"$defs": {"t": target}},
        "additionalProperties": _object(a={"type": "object", "additionalProperties": target}),
        "x": _object(a={"$ref": "#/x"}) | {"x": target},
    }[place]
    words = "cannot compile regex from schema" if place == "x" else "grammar is not valid"
    with pytest.raises(ValidationError, match=f"Input validation error: {words}: "):
        grammar_pattern(Grammar(schema, is_regex=False))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"type": "object"}, "grammar is not valid: Grammar must have a 'properties' field"),
        ("{}", "grammar is not valid: Grammar must have a 'properties' field"),
        ("{", "grammar is not valid: EOF while parsing an object at line 1 column 1"),
        ("true", "grammar is not valid: Grammar must have a 'properties' field"),
        ("[]", 'grammar is not valid: [] is not of types "boolean", "object"'),
        (5, "grammar is not supported"),
        (None, "grammar is not supported"),
        (
            {"properties": {"a": {"type": "nonsense"}}},
            'grammar is not valid: "nonsense" is not valid under any of the schemas listed in '
            "the 'anyOf' keyword",
        ),
        ({"properties": 1}, 'grammar is not valid: 1 is not of type "object"'),
        (
            {"properties": {"a": {"title": "x"}}},
            'cannot compile regex from schema: Unsupported JSON Schema structure {"title":"x"}',
        ),
        (_object(a={"$ref": "#/nope"}), "cannot compile regex from schema: Invalid reference path: #/nope"),
        (
            _object(a={"$ref": "http://x"}),
            "cannot compile regex from schema: External references are not supported: http://x",
        ),
        (
            _object(a={"type": "string", "format": "ipv9"}),
            "cannot compile regex from schema: Format ipv9 is not supported by Outlines",
        ),
    ],
)
def test_what_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        grammar_pattern(Grammar(value, is_regex=False))
    assert str(caught.value) == f"Input validation error: {message}"


def _multiplying() -> dict[str, Any]:
    deep: dict[str, Any] = {"properties": {"a": {"$ref": "#/$defs/a0"}}, "$defs": {}}
    for level in range(3):
        following = {"$ref": f"#/$defs/a{level + 1}"} if level < 2 else {"type": "object"}
        deep["$defs"][f"a{level}"] = {"properties": {f"k{key}": following for key in range(60)}}
    return deep


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "schema",
    [
        _multiplying(),
        {"properties": {f"k{key}": {"type": "null"} for key in range(2_000)}},
        _object(a={"type": ["string"] * 2_000, "pattern": "x" * 50_000}),
        {"properties": {f"k{key}": {"$ref": "#"} for key in range(2_000)}},
        {
            "properties": {f"k{key}": {"$ref": "#/a"} for key in range(2_000)},
            "a": {"$ref": "#" + "/" * 100_000},
        },
    ],
    ids=("references", "optional", "types", "inside itself", "long reference"),
)
def test_a_schema_that_multiplies_is_refused_before_it_has_grown(schema: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(
            ValidationError, match="cannot compile regex from schema: the schema is too large"
        ):
            grammar_pattern(Grammar(schema, is_regex=False))
        assert tracemalloc.get_traced_memory()[1] < 5 * MAX_EFFORT
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["array", "object"])
def test_how_deep_anything_goes_is_not_the_clients_to_say(kind: str) -> None:
    assert schema_pattern(_object(a={"type": kind, "depth": 4})) == schema_pattern(_object(a={"type": kind}))
