"""Whatever is sent becomes a request that the engine can read, or a refusal; nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_api import engine_errors, tgi_form
from openai_api.chat import chat_request
from openai_api.completions import completion_request
from openai_api.errors import ApiError, BadRequest
from openai_api.http import parsed
from openai_api.parameters import CHAT, COMPLETIONS, Parameter

SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(
        ["", "auto", "text", "function", "user", "assistant", "json_schema", "\0", "ü𝄞", "a" * 300]
    )
    | st.text(max_size=8)
)
KEYS = st.sampled_from(
    [
        *(
            "role",
            "content",
            "type",
            "text",
            "image_url",
            "tool_calls",
            "function",
            "name",
            "arguments",
            "id",
        ),
        *("parameters", "json_schema", "schema", "include_usage", "value"),
        *("properties", "$ref", "$defs", "required", "items", "allOf", "anyOf", "description", "enum"),
    ]
)
ANYTHING = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)


def bodies(table: Mapping[str, Parameter], right: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A request that is right but for some of its fields."""
    return st.dictionaries(st.sampled_from(sorted(table)), ANYTHING, max_size=4).map(
        lambda odd: {**right, **odd}
    )


def is_right(translate: Callable[[dict[str, Any]], Any], raw: bytes) -> None:
    try:
        body = translate(parsed(raw)).body
        assert isinstance(orjson.loads(orjson.dumps(body)), dict)
    except BadRequest as refused:
        assert 0 < len(str(refused)) < 1000
        assert refused.param is None or 0 < len(refused.param) < 200


MESSAGES = {"messages": [{"role": "user", "content": "a"}]}


@settings(max_examples=400, deadline=None)
@given(bodies(CHAT, MESSAGES))
def test_a_chat(fields: dict[str, Any]) -> None:
    tgi_form.chat_is(fields)
    is_right(chat_request, _dumped(fields))


PARTS = st.recursive(
    st.sampled_from(["string", "object", 5, None, True, {}, {"type": "string"}, [["a"]], ["a"], "a" * 900])
    | st.sampled_from(["#", "#/properties/a", "#/nope", "#/properties/a/allOf"]).map(lambda to: {"$ref": to}),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "properties", "required", "items", "allOf", "anyOf", "enum", "const"),
                    *("description", "pattern", "additionalProperties", "a", "b", "n" * 900),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["properties", "allOf", "required", "description"]), PARTS, max_size=4)
)
def test_a_schema(schema: dict[str, Any]) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    described = {"type": "json_schema", "json_schema": {"schema": schema}}
    for more in ({"tools": [tool]}, {"response_format": described}):
        is_right(chat_request, _dumped({**MESSAGES, **more}))


@settings(max_examples=200, deadline=None)
@given(bodies(COMPLETIONS, {"prompt": "a"}))
def test_a_completion(fields: dict[str, Any]) -> None:
    is_right(completion_request, _dumped(fields))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes(raw: bytes) -> None:
    is_right(chat_request, raw)


@settings(max_examples=200, deadline=None)
@given(status=st.integers(100, 599), raw=st.binary(max_size=40) | ANYTHING.map(lambda value: _dumped(value)))
def test_whatever_the_engine_refuses_with_is_an_error_in_openais_form(status: int, raw: bytes) -> None:
    error = engine_errors.of_answer(status, raw, None, {})
    assert isinstance(error, ApiError)
    assert orjson.dumps(error.body())


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "properties": lambda inner: {"type": "object", "properties": {"a": inner}},
    "items": lambda inner: {"type": "array", "items": inner},
    "allOf": lambda inner: {"allOf": [inner]},
    "anyOf": lambda inner: {"anyOf": [inner, {"type": "null"}]},
    "additionalProperties": lambda inner: {"type": "object", "additionalProperties": inner},
    "default": lambda inner: {"type": "string", "default": inner},
}


@pytest.mark.parametrize("depth", [50, 200, 900])
@pytest.mark.parametrize("kind", WRAPPED)
def test_depth(depth: int, kind: str) -> None:
    schema: Any = {"type": "string"}
    for _ in range(depth):
        schema = WRAPPED[kind](schema)
    schema = {"type": "object", "properties": {"a": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    described = {"type": "json_schema", "json_schema": {"schema": schema}}
    for more in ({"tools": [tool]}, {"response_format": described}, {"metadata": schema}):
        try:
            body = chat_request({**MESSAGES, **more}).body
            orjson.dumps(body)
        except (BadRequest, orjson.JSONEncodeError):
            pass


def _dumped(value: Any) -> bytes:
    """As JSON, with what is none in it (NaN, large numbers) as a client may write it."""
    return json.dumps(value).encode()
