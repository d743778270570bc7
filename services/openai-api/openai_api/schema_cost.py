"""What the engine needs to prepare a schema's grammar, foretold without doing it.

TGI follows every token of its vocabulary from every state of the grammar's automaton, so what counts is how
many states that has; making it takes longer the longer the regular expression is. docs/performance.md has
what was measured, and bench/bench_grammars.py measures it. Takes the plain form of schema_form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from openai_api.automaton import Size, size_of_pattern, states_of_choice
from openai_api.pattern_nodes import is_ascii
from openai_api.string_pattern import reread

MOST_STATES = 500
"""Of one pattern, or of one choice: such a schema is beyond every bound."""

_ALWAYS_SECONDS = 0.42
_STATE_SECONDS = 0.021
_WIDE_SECONDS = 0.07
_CHARACTER_SECONDS = 2.5e-8
"""Times the square of the expression's length."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one part of a schema adds.

    Attributes:
        states: of the grammar's automaton.
        wide: those of them from which most tokens go on, as inside a string.
        characters: of its regular expression.
    """

    states: float = 0
    wide: float = 0
    characters: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.states + other.states, self.wide + other.wide, self.characters + other.characters)

    def repeated(self, count: int) -> Cost:
        """So many of it in a list, whose expression has it twice."""
        return Cost(self.states * count + 3 * count + 2, self.wide * count, self.characters * 2 + 40)

    @property
    def seconds(self) -> float:
        """Of one core of the machine that docs/performance.md names."""
        return (
            _ALWAYS_SECONDS
            + self.states * _STATE_SECONDS
            + self.wide * _WIDE_SECONDS
            + self.characters**2 * _CHARACTER_SECONDS
        )


_SIMPLE = {
    "string": Cost(5, 1, 42),
    "integer": Cost(3, 0, 22),
    "number": Cost(8, 0, 52),
    "boolean": Cost(7, 0, 12),
    "null": Cost(3, 0, 4),
}
_ANY_OBJECT = Cost(250, 11, 10_000)
_ANYTHING = Cost(450, 20, 16_000)
_FORMATS = {
    "date": Cost(13, 0, 50),
    "time": Cost(16, 0, 70),
    "date-time": Cost(30, 0, 100),
    "uuid": Cost(38, 0, 80),
}
_PUNCTUATION = Cost(4, 0, 16)


def cost_of(schema: dict[str, Any]) -> Cost:
    """What one schema adds, about."""
    if not schema.keys() - {"description"}:
        return _ANYTHING
    if "properties" in schema:
        return _properties(schema)
    for word in ("anyOf", "oneOf", "prefixItems"):
        if word in schema:
            return _sum(cost_of(inner) + Cost(2, 0, 6) for inner in schema[word])
    if "enum" in schema or "const" in schema:
        return _choice(schema["enum"] if "enum" in schema else [schema["const"]])
    kinds = schema.get("type")
    return _sum(_typed(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _properties(schema: dict[str, Any]) -> Cost:
    members = [
        _text(json.dumps(name, ensure_ascii=False)) + _PUNCTUATION + cost_of(inner)
        for name, inner in schema["properties"].items()
    ]
    whole = _sum(members) + Cost(3, 0, 10)
    if schema.get("required"):
        return whole
    # where each may be missing the expression has each member again for every one that may be the last
    again = sum((len(members) - index - 1) * member.characters for index, member in enumerate(members))
    return whole + Cost(0, 0, again)


def _typed(kind: Any, schema: dict[str, Any]) -> Cost:
    if kind == "string":
        return _string(schema)
    if kind == "array":
        item = cost_of(schema.get("items", {}))
        return item.repeated(max(_count(schema, "minItems"), _count(schema, "maxItems"), 1))
    if kind == "object":
        value = schema.get("additionalProperties")
        return (cost_of(value) + Cost(12, 1, 50)).repeated(1) if value else _ANY_OBJECT
    return _SIMPLE.get(str(kind), Cost())


def _string(schema: dict[str, Any]) -> Cost:
    longest = max(_count(schema, "minLength"), _count(schema, "maxLength"))
    if longest:
        return Cost(6 * longest + 2, longest, 50)
    if isinstance(schema.get("pattern"), str):
        size, only_ascii = of_pattern(schema["pattern"])
        states, characters = size.states, len(schema["pattern"])
        return Cost(2 + states, 0, characters) if only_ascii else Cost(2 + 6 * states, states, characters)
    return _FORMATS.get(str(schema.get("format")), _SIMPLE["string"])


@lru_cache(maxsize=256)
def of_pattern(expression: str) -> tuple[Size, bool]:
    """The automaton of an expression that `written` has written, and whether it matches ASCII only."""
    node = reread(expression)
    return size_of_pattern(node, MOST_STATES), is_ascii(node)


def _choice(values: list[Any]) -> Cost:
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    characters = sum(map(len, texts))
    states = states_of_choice(texts) if characters <= 20 * MOST_STATES else characters / 2
    return Cost(states, 0, characters * 1.05 + len(texts))


def _count(schema: dict[str, Any], word: str) -> int:
    value = schema.get(word)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _text(text: str) -> Cost:
    return Cost(len(text.encode()), 0, len(text))


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost())
