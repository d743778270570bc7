"""No request, whatever is in its fields, ends in a 500 or disturbs the next one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.cpu_engine.real_engine import RunningEngine, running_engine

MESSAGES = [{"role": "user", "content": "Say hello."}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
PARAMETERS = (
    *("best_of", "temperature", "repetition_penalty", "frequency_penalty", "top_k", "top_p", "typical_p"),
    *("do_sample", "max_new_tokens", "return_full_text", "stop", "truncate", "watermark", "details"),
    *("decoder_input_details", "seed", "top_n_tokens", "grammar", "adapter_id"),
)
CHAT_FIELDS = (
    *("model", "messages", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "max_tokens", "n"),
    *("max_completion_tokens", "presence_penalty", "stop", "stream", "seed", "temperature", "top_p", "tools"),
    *("tool_prompt", "tool_choice", "response_format", "stream_options"),
)
COMPLETION_FIELDS = (
    *("model", "prompt", "max_tokens", "temperature", "top_p", "stream", "seed", "suffix", "stop"),
    *("repetition_penalty", "frequency_penalty"),
)
NUMBERS = (
    *(0, -1, 1, 2, 5, 2**31, 2**32, 2**63, 2**64, -(2**63) - 1, 10**400),
    *(1e-40, -1e-40, 1e-45, 5e-324, 1e-7, 0.5, 0.99999999, 1.0, 2.0, 1e38, 1e39, 1e308, -0.0),
    *(float("nan"), float("inf")),
)
TEXTS = (
    "",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\U0001f469‍\U0001f467",
    "<|im_end|>",
    "\uffff",
    "é" * 300,
    "auto",
)
PATTERNS = (
    *("a+", "[0-9]{3}-[0-9]{4}", "(yes|no)", "", "(", ")", "[", "*", "a{3,1}", "(?=a)", r"\b", r"(a)\1"),
    *(
        ".*",
        "(a{1000}){1000}",
        "(a*)*",
        "(((((a?)*)?)*)?)*",
        "[^\0]",
        "\\",
        "[]]",
        "[z-a]",
        "中+",
        "$^",
        "a{99999}",
        "[a-z]?" * 40 + "X",
        "(" * 20 + "[a-z]*" + ")*" * 20,
    ),
)
DEEP: Any = 1
for _ in range(200):
    DEEP = [DEEP]

SCALARS = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
REFERENCES = st.builds(
    lambda place: {"$ref": place}, st.sampled_from(("#", "#/$defs/a", "#/properties/a", "#/required", "#/x"))
)
INNER = st.recursive(
    JSON | REFERENCES,
    lambda inner: st.one_of(
        st.builds(lambda s: {"type": "array", "items": s}, inner),
        st.builds(lambda s: {"type": "object", "additionalProperties": s}, inner),
        st.builds(lambda s: {"anyOf": s}, st.lists(inner, max_size=3)),
        st.builds(lambda s: {"properties": {"a": s}, "required": ["a"]}, inner),
    ),
    max_leaves=6,
)
SCHEMAS = st.fixed_dictionaries(
    {"properties": st.dictionaries(st.sampled_from(("a", "b", 'c"', "\n")), INNER, max_size=3)},
    optional={"required": JSON, "type": JSON, "$defs": st.fixed_dictionaries({"a": INNER}), "x": JSON},
)
GRAMMARS = st.one_of(
    st.builds(lambda p: {"type": "regex", "value": p}, st.sampled_from(PATTERNS) | st.text(max_size=12)),
    st.builds(lambda s: {"type": "json", "value": s}, SCHEMAS | JSON),
    st.builds(lambda s: {"type": "json_schema", "value": {"schema": s}}, SCHEMAS),
)
TOOLS = st.lists(
    st.builds(lambda s: {"type": "function", "function": {"name": "f", "parameters": s}}, SCHEMAS | JSON),
    max_size=3,
)
VALUES = JSON | GRAMMARS | TOOLS | st.just(DEEP) | st.just([TOOL])


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A route, and a body for it of which one to three fields are anything."""
    path = draw(
        st.sampled_from(("/generate", "/generate_stream", "/", "/tokenize", "/vertex", "/invocations"))
    )
    kind = draw(st.sampled_from(("own", "chat", "completion"))) if path == "/invocations" else "own"
    if draw(st.booleans()):
        path, kind = draw(
            st.sampled_from(
                (
                    ("/v1/chat/completions", "chat"),
                    ("/chat_tokenize", "chat"),
                    ("/v1/completions", "completion"),
                )
            )
        )
    names = {"own": PARAMETERS, "chat": CHAT_FIELDS, "completion": COMPLETION_FIELDS}[kind]
    fields = draw(st.dictionaries(st.sampled_from(names), VALUES, min_size=1, max_size=3))
    if kind == "chat":
        return path, {"messages": MESSAGES, "max_tokens": 3, **fields}
    if kind == "completion":
        return path, {"prompt": "Hi", "max_tokens": 3, **fields}
    body = {"inputs": draw(st.just("Hi") | SCALARS), "parameters": {"max_new_tokens": 3, **fields}}
    return path, {"instances": [body]} if path == "/vertex" else body


@pytest.fixture(scope="module")
def small_engine(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """An engine whose longest answer takes a moment."""
    log = tmp_path_factory.mktemp("fuzz") / "log"
    with running_engine(models, log, "--parallel=2", "--max-total-tokens=128") as running:
        yield running


def _ask(engine: RunningEngine, connection: requests.Session, path: str, body: object) -> None:
    """The answer is one of TGI's, and the same connection serves the next request as ever."""
    data = json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    answer = connection.post(f"{engine.url}{path}", data=data, headers=headers, timeout=60)
    incomplete = path == "/vertex" and answer.text == VERTEX_FAILED
    assert answer.status_code in (200, 400, 422, 424) or incomplete, f"{answer.status_code}: {answer.text}"
    assert "Server error: llama.cpp's server went away" not in answer.text
    after = connection.post(f"{engine.url}/generate", json=NEXT, timeout=60)
    assert (after.status_code, after.json()) == (200, {"generated_text": " Paris"})


VERTEX_FAILED = '{"error":"Incomplete generation","error_type":"Incomplete generation"}'
NEXT = {"inputs": "The capital of France is", "parameters": {"max_new_tokens": 1}}
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)


def _fuzz(engine: RunningEngine, examples: int) -> None:
    with requests.Session() as connection:

        @settings(QUIET, max_examples=examples)
        @given(asked())
        def one(request: tuple[str, dict[str, Any]]) -> None:
            _ask(engine, connection, *request)

        one()


def test_no_value_of_a_field_ends_in_a_500(small_engine: RunningEngine) -> None:
    _fuzz(small_engine, 150)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_requests_leave_memory_as_it_was(small_engine: RunningEngine) -> None:
    _fuzz(small_engine, 500)
    before = small_engine.resident_kib()
    _fuzz(small_engine, 10_000)
    assert small_engine.resident_kib() < before * 1.1


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": 1e-40},
        {"temperature": 1e39},
        {"repetition_penalty": 1e-40},
        {"repetition_penalty": 1e39},
        {"top_p": 1e-40},
        {"typical_p": 1e-40},
        {"frequency_penalty": 1e-45},
        {"temperature": 1e-40, "repetition_penalty": 1e-40, "top_k": 1, "top_p": 1e-40, "top_n_tokens": 5},
    ],
)
def test_values_that_no_division_survives(small_engine: RunningEngine, parameters: dict[str, float]) -> None:
    answer = small_engine.post(
        "/generate", {"inputs": "Hi", "parameters": {"max_new_tokens": 5, "details": True, **parameters}}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["details"]["generated_tokens"] <= 5
