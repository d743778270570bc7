"""What does a JSON schema cost an engine that compiles it? Seconds in which TGI gives nobody a token.

    python -m venv .venv/grammars
    .venv/grammars/bin/pip install --no-deps outlines-core==0.1.26 interegular==0.3.3 orjson==3.13.0
    PYTHONPATH=.:services/cpu-engine:services/openai-api .venv/grammars/bin/python bench/bench_grammars.py \\
        --vocabulary qwen.tiktoken

Runs what TGI 3.3.7's server runs for a new grammar, with the library of its lock file: interegular's
automaton of the expression, outlines-core's index of it over the vocabulary. The vocabulary is Qwen's,
151,643 tokens, as the PyPI package dashscope 1.20.0 has it (dashscope/resources/qwen.tiktoken). The
expression is what TGI's router makes of the schema, by the CPU engine's copy of its rules. CPU seconds of
one core; beside them what `openai_api` foretells.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import time
import types
from pathlib import Path
from typing import Any

# why: outlines-core imports PyTorch for what is not used here
sys.modules.setdefault("torch", types.ModuleType("torch"))

# ruff: noqa: E402
import interegular
from outlines_core.fsm.regex import (
    create_fsm_index_tokenizer,
    gpt2_bytes_to_unicode,
    make_byte_level_fsm,
    make_deterministic_fsm,
)

from cpu_engine.tgi.schema import schema_pattern
from openai_api.json_grammar import any_json_object, check_schema
from openai_api.schema_cost import cost_of

S: dict[str, Any] = {"type": "string"}
I: dict[str, Any] = {"type": "integer"}  # noqa: E741
N: dict[str, Any] = {"type": "number"}
B: dict[str, Any] = {"type": "boolean"}
WIDE = 50_000
"""Tokens that go on from a state inside a string, which is most of them."""


def structure(**properties: Any) -> dict[str, Any]:
    """An object whose properties are all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def fields(count: int, *kinds: Any) -> dict[str, Any]:
    """An object with so many fields, of the kinds in turn."""
    return structure(**{f"field_{index}": kinds[index % len(kinds)] for index in range(count)})


def words(count: int) -> list[str]:
    """Choices with little in common."""
    lot = random.Random(20261127)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(lot.choice(letters) for _ in range(8)) for _ in range(count)]


def listed(item: Any, **bounds: int) -> dict[str, Any]:
    """An array."""
    return {"type": "array", "items": item, **bounds}


TOOLS: dict[str, dict[str, Any]] = {
    "read_file": {"path": S, "start_line": I},
    "write_file": {"path": S, "content": S},
    "list_directory": {"path": S, "recursive": B},
    "run_command": {"command": S, "requires_approval": B},
    "search_files": {"path": S, "regex": S, "file_pattern": S},
    "no_tool": {},
}
"""A coding agent's, and TGI's own that calls none."""
SCHEMAS: dict[str, dict[str, Any]] = {
    "1 integer": structure(i=I),
    "1 number": structure(n=N),
    "1 string": structure(s=S),
    "3 fields: name, age, email": structure(name=S, age=I, email=S),
    "5 strings": fields(5, S),
    "10 fields": fields(10, S, I, N, B),
    "10 strings": fields(10, S),
    "10 strings, all optional": {**fields(10, S), "required": []},
    "10 fields, all optional": {**fields(10, S, I, N, B), "required": []},
    "20 fields": fields(20, S, I, N, B),
    "40 fields": fields(40, S, I, N, B),
    "a list of objects": structure(items=listed(structure(name=S, price=N))),
    "a list of lists of integers": structure(rows=listed(listed(I))),
    "a list of 3 strings": structure(l=listed(S, minItems=3, maxItems=3)),
    "a list of at most 20 strings": structure(l=listed(S, maxItems=20)),
    "a list of at most 20 integers": structure(l=listed(I, maxItems=20)),
    "an enum of 5": structure(mood={"enum": ["happy", "sad", "angry", "neutral", "mixed"]}),
    "an enum of 10 words": structure(e={"enum": words(10)}),
    "an enum of 200 words": structure(e={"enum": words(200)}),
    "an enum of 200 numbered": structure(e={"enum": [f"value-{index}" for index in range(200)]}),
    "a string of at most 10": structure(s={**S, "maxLength": 10}),
    "a string of at most 100": structure(s={**S, "maxLength": 100}),
    "a pattern: ^[A-Z]{3}-[0-9]{4}$": structure(s={**S, "pattern": "^[A-Z]{3}-[0-9]{4}$"}),
    "a pattern: ^.+@.+\\.[a-z]{2,}$": structure(s={**S, "pattern": r"^.+@.+\.[a-z]{2,}$"}),
    "a pattern of Chinese: ^[一-龥]{2,4}$": structure(s={**S, "pattern": "^[一-龥]{2,4}$"}),
    "a date-time": structure(d={**S, "format": "date-time"}),
    "a uuid": structure(u={**S, "format": "uuid"}),
    "string or null": structure(v={"anyOf": [S, {"type": "null"}]}),
    "one of 3 objects": structure(
        v={"anyOf": [structure(kind={"const": name}, a=S, b=I) for name in ("cat", "dog", "bird")]}
    ),
    "5 tools": {
        "properties": {
            "function": {
                "anyOf": [structure(_name={"const": name}, **given) for name, given in TOOLS.items()]
            }
        }
    },
    "a map of strings": structure(o={"type": "object", "additionalProperties": S}),
    "an object with anything in it": structure(o={"type": "object"}),
}
SLOW: dict[str, dict[str, Any]] = {
    "an enum of 2,000 numbered": structure(e={"enum": [f"value-{index}" for index in range(2000)]}),
    "an enum of 2,000 words": structure(e={"enum": words(2000)}),
    "a string of at most 1,000": structure(s={**S, "maxLength": 1000}),
    "anything": structure(a={}),
}


class Vocabulary:
    """A tokenizer as outlines-core sees one."""

    special_tokens: frozenset[str] = frozenset()

    def __init__(self, path: Path) -> None:
        characters = gpt2_bytes_to_unicode()
        lines = [line.split() for line in path.read_bytes().splitlines()]
        self._bytes = {
            "".join(characters[byte] for byte in base64.b64decode(raw)): base64.b64decode(raw)
            for raw, _ in lines
        }
        self.vocabulary = {token: index for index, token in enumerate(self._bytes)}
        self.eos_token_id = len(self.vocabulary)

    def convert_token_to_string(self, token: str) -> str:
        return self._bytes[token].decode("utf-8", "replace")


def compile_seconds(pattern: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """What TGI's server does with an expression that it has not seen, step by step."""
    began = time.process_time()
    automaton = interegular.parse_pattern(pattern).to_fsm()
    parsed = time.process_time()
    by_bytes, _ = make_deterministic_fsm(make_byte_level_fsm(automaton.reduce(), keep_utf8=True))
    index, _ = create_fsm_index_tokenizer(by_bytes, vocabulary)
    ended = time.process_time()
    tokens = [len(found) for found in index.get_transitions().values()]
    return {
        "characters": len(pattern),
        "states": len(by_bytes.states),
        "wide": sum(count > WIDE for count in tokens),
        "automaton_s": round(parsed - began, 2),
        "seconds": round(ended - began, 2),
    }


def main() -> int:
    """Print a line for each schema, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=Path, required=True, help="qwen.tiktoken")
    parser.add_argument("--slow", action="store_true", help="what takes minutes, too")
    parser.add_argument("--depth", type=int, default=3, help="json_object down to so many levels")
    parser.add_argument("--only", default="", help="names that contain this")
    options = parser.parse_args()
    vocabulary = Vocabulary(options.vocabulary)
    compile_seconds("warm", vocabulary)  # the vocabulary is read once
    for depth in range(options.depth + 1):
        if options.only in f"json_object, {depth} levels":
            measured = compile_seconds(any_json_object(depth), vocabulary)
            print(json.dumps({"name": f"json_object, {depth} levels", **measured}), flush=True)
    for name, schema in (SCHEMAS | (SLOW if options.slow else {})).items():
        if options.only not in name:
            continue
        plain = schema if name in SLOW else check_schema(schema, most_seconds=1e9)
        measured = compile_seconds(schema_pattern(plain), vocabulary)
        foretold = round(cost_of(plain).seconds, 2)
        print(json.dumps({"name": name, **measured, "foretold": foretold}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
