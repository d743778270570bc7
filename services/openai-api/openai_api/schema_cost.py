"""What the engine needs to prepare a schema's grammar, foretold without doing it.

TGI follows every token of its vocabulary from every state of the grammar's automaton, so what counts is how many
states that has; docs/performance.md has what was measured. Takes the plain form of schema_form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_ALWAYS_SECONDS = 0.42
_STATE_SECONDS = 0.026
_WIDE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """Attributes:
    states: of the grammar's automaton.
    wide: those of them from which most tokens go on, as inside a string.
    """

    states: float = 0
    wide: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.states + other.states, self.wide + other.wide)

    def times(self, count: float) -> Cost:
        return Cost(self.states * count, self.wide * count)

    @property
    def seconds(self) -> float:
        """Of one core of the machine that docs/performance.md names."""
        return _ALWAYS_SECONDS + self.states * _STATE_SECONDS + self.wide * _WIDE_SECONDS


_SIMPLE = {
    "string": Cost(5, 1),
    "integer": Cost(3),
    "number": Cost(9),
    "boolean": Cost(7),
    "null": Cost(4),
}
_ANY_OBJECT = Cost(240, 11)
_ANYTHING = Cost(400, 20)
_FORMATS = {"date": Cost(13), "time": Cost(16), "date-time": Cost(30), "uuid": Cost(38)}


def cost_of(schema: dict[str, Any]) -> Cost:
    """The states of one schema's automaton, about."""
    if not schema:
        return _ANYTHING
    if "properties" in schema:
        members = [_text(json.dumps(name)) + Cost(4) + cost_of(inner) for name, inner in schema["properties"].items()]
        return sum(members, Cost(3))
    for word in ("anyOf", "oneOf", "prefixItems"):
        if word in schema:
            return sum((cost_of(inner) for inner in schema[word]), Cost(2 * len(schema[word])))
    if "const" in schema:
        return _text(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return _choices([json.dumps(choice, ensure_ascii=False) for choice in schema["enum"]])
    kinds = schema.get("type")
    return sum((_typed(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds])), Cost())


def _typed(kind: Any, schema: dict[str, Any]) -> Cost:
    if kind == "string":
        return _string(schema)
    if kind == "array":
        item = cost_of(schema["items"]) if schema.get("items") else _ANY_OBJECT
        times = max(_count(schema, "minItems"), _count(schema, "maxItems"), 1)
        return item.times(times) + Cost(3 * times + 2)
    if kind == "object":
        value = schema.get("additionalProperties")
        return (cost_of(value) + Cost(12, 1)) if value else _ANY_OBJECT
    return _SIMPLE.get(str(kind), Cost())


def _string(schema: dict[str, Any]) -> Cost:
    longest = max(_count(schema, "minLength"), _count(schema, "maxLength"))
    if longest:
        return Cost(6, 1).times(longest) + Cost(2)
    if "pattern" in schema:
        return Cost(len(schema["pattern"]) * 2)
    return _FORMATS.get(str(schema.get("format")), _SIMPLE["string"])


def _count(schema: dict[str, Any], word: str) -> int:
    value = schema.get(word)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _text(text: str) -> Cost:
    return Cost(len(text.encode()))


def _choices(texts: list[str]) -> Cost:
    return _text("".join(texts))
