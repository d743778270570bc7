"""Schemas in the form that the engine understands, and the sentences for those that have none."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from openai_api.automaton import MOST_EFFORT
from openai_api.errors import BadRequest, SchemaTooLarge
from openai_api.http import LONG_BYTES
from openai_api.pattern_nodes import written
from openai_api.schema_cost import of_pattern
from openai_api.schema_form import plain
from openai_api.string_pattern import read

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
        (
            {"properties": {"b": TEXT}, "allOf": [{"$ref": "#/$defs/Base"}]},
            {"type": "object", "properties": {"b": TEXT, "a": TEXT}},
        ),
        (
            {"allOf": [{"allOf": [{"properties": {"b": TEXT}}]}, {"allOf": [{"properties": {"c": TEXT}}]}]},
            {"properties": {"b": TEXT, "c": TEXT}},
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
    assert plain(_of(inner, **{"$defs": {"T": {"title": "T", **TEXT}, "Base": _of(TEXT)}})) == _of(becomes)


@pytest.mark.parametrize(
    ("inner", "becomes"),
    [
        ({"description": "b"}, {"description": "b"}),
        ({"description": 5, **TEXT}, TEXT),
        ({"$ref": "#/$defs/T"}, {"description": "of T", **TEXT}),
        ({"$ref": "#/$defs/T", "description": "b"}, {"description": "b", **TEXT}),
        ({"allOf": [{"$ref": "#/$defs/T"}], "description": "b"}, {"description": "b", **TEXT}),
        ({"allOf": [{"description": "b"}, TEXT]}, {"description": "b", **TEXT}),
        (
            {"anyOf": [{"$ref": "#/$defs/T"}, {"type": "null"}], "description": "b"},
            {"anyOf": [{"description": "of T", **TEXT}, {"type": "null"}], "description": "b"},
        ),
    ],
)
def test_descriptions_are_kept_for_who_reads_them(inner: Any, becomes: Any) -> None:
    defs = {"T": {"title": "T", "description": "of T", **TEXT}}
    assert plain(_of(inner, **{"$defs": defs}), keep_descriptions=True) == _of(becomes)


@pytest.mark.parametrize("reference", ["#/properties/a", "#/nope", 5])
def test_a_reference_that_another_part_overrides_is_nobodys(reference: Any) -> None:
    schema = {"properties": {"a": {"$ref": reference}}, "allOf": [{"properties": {"a": TEXT}}]}
    assert plain(schema, keep_descriptions=True) == {"properties": {"a": TEXT}}


def test_what_doubles_in_allof_is_too_large() -> None:
    with pytest.raises(SchemaTooLarge):
        plain({"allOf": [{"$ref": "#"}, {"$ref": "#"}]})


def test_a_description_that_is_repeated_is_counted_each_time() -> None:
    long = {"$defs": {"T": {"description": "b" * 50_000, **TEXT}}}
    many = {f"p{index}": {"$ref": "#/$defs/T"} for index in range(40)}
    assert plain({"properties": many, **long})
    with pytest.raises(SchemaTooLarge):
        plain({"properties": many, **long}, keep_descriptions=True)


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
        ({"properties": 5, "allOf": [{"properties": {}}]}, "'properties' that are no object"),
        ({"properties": {}, "allOf": [{"properties": 5}]}, "'properties' that are no object"),
        ({"required": 5, "allOf": [{"required": ["a"]}]}, "'required' that is no list"),
        (_of(TEXT, required=[["a"]]), "'required' that is no list of names"),
        (_of(TEXT, allOf=5), "'allOf' that is no list"),
        (_of({"allOf": [{"allOf": 5}]}), "'allOf' that is no list"),
        (_of({"$ref": f"#/{'x' * 500}"}), "x…, which is not in the schema"),
        ({"properties": {"y" * 500: {"not": TEXT}}}, "y… has 'not'"),
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
        {f"p{index}": {"pattern": f"{index}{'a?' * 60}", **TEXT} for index in range(9)},
        {f"p{index}": {"enum": [f"{index} {'x' * 90} {n}" for n in range(100)]} for index in range(10)},
    ],
)
def test_many_patterns_and_enums_are_too_many_before_they_take_long(many: Any) -> None:
    with pytest.raises(SchemaTooLarge, match="more than 10,000 parts"):
        plain({"type": "object", "properties": many})


def test_the_worst_patterns_of_a_short_body_take_no_more_than_one_may() -> None:
    """Counted, not timed: nobody gets a token meanwhile."""
    letters = "".join(chr(0x100 + 2 * index) for index in range(990))
    patterns = [f"{index}[{letters}]{{9}}" for index in range(9)]
    worst = [{"pattern": one, **TEXT} for one in patterns]
    of_pattern.cache_clear()
    with pytest.raises(SchemaTooLarge):
        plain({"properties": dict(zip(patterns, worst, strict=True))})
    judged = of_pattern.cache_info().misses
    assert len(orjson.dumps(worst)) < LONG_BYTES
    efforts = [of_pattern(f"^({written(read(one))})$")[0].effort for one in patterns[:judged]]
    assert 1 < judged < len(patterns)
    assert sum(efforts) < MOST_EFFORT
