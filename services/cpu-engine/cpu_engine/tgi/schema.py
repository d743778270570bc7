"""JSON schemas as regular expressions, the way TGI constrains an answer (with outlines-core).

Owns which schemas are understood, in which order and with which blanks the answer's JSON is written, and the
words in which a schema is refused. What a regular expression becomes is the engine's business.
"""

import re
from typing import Any

import orjson

from cpu_engine.engine import MAX_PATTERN

MAX_REFERENCES = 3
"""A reference inside itself is followed that often."""
_MAX_DEPTH = 120
"""Schemas inside each other, with those that references lead to."""
MAX_EFFORT = 20 * MAX_PATTERN
"""Characters that are read and written on the way to an expression, whatever becomes of them."""
_STEP = 40
"""What looking at a schema costs before a character of it is written."""

_BLANK = "[ ]?"
_CHARACTER = r'([^"\\\x00-\x1F\x7F-\x9F]|\\["\\])'
_STRING = f'"{_CHARACTER}*"'
_INTEGER = "(-)?(0|[1-9][0-9]*)"
_NUMBER = r"((-)?(0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-][0-9]+)?"
_DATE = r"(\d{4})-(0[1-9]|1[0-2])-([0-2][0-9]|3[0-1])"
_TIME = r"([0-1][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(\.[0-9]{3})?(Z)?"
_HEX = "[0-9a-fA-F]"
_FORMATS = {
    "date": f'"{_DATE}"',
    "time": f'"{_TIME}"',
    "date-time": f'"{_DATE}T{_TIME}"',
    "uuid": f'"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"',
}
_ANY_DEPTH = 2
"""Levels of lists and objects in a value that may be anything."""
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


class SchemaRefused(Exception):
    """The schema cannot be followed; the message says why."""


class _TooDeep(SchemaRefused):
    """A reference was followed too often; the member that needs it is left out."""


def check_schema(schema: object) -> None:
    """The meta-schema's judgement, as far as it concerns what `schema_pattern` reads.

    Raises:
        SchemaRefused: it is no schema.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise SchemaRefused(f'{_json(schema)} is not of types "boolean", "object"')
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _TYPES:
            raise SchemaRefused(
                f"{_json(kinds)} is not valid under any of the schemas listed in the 'anyOf' keyword"
            )
    for key, kind, name in (
        ("properties", dict, "object"),
        ("required", list, "array"),
        ("enum", list, "array"),
    ):
        if not isinstance(schema.get(key, kind()), kind):
            raise SchemaRefused(f'{_json(schema[key])} is not of type "{name}"')
    below = [schema[key] for key in ("items", "additionalProperties") if key in schema]
    for key in ("properties", "$defs", "definitions"):
        below += schema[key].values() if isinstance(schema.get(key), dict) else []
    for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        below += schema[key] if isinstance(schema.get(key), list) else []
    for inner in below:
        check_schema(inner)


def schema_pattern(root: Any) -> str:
    """The regular expression of JSON that fits the schema.

    Raises:
        SchemaRefused: it asks for something that cannot be said so, or would become too long.
    """
    pattern = _Writer(root).write(root)
    if len(pattern) > MAX_PATTERN:
        raise SchemaRefused(f"the schema is too large: {len(pattern)} characters of {MAX_PATTERN}")
    return pattern


class _Writer:
    """One conversion; remembers the root for references, how deep it is in, and the effort so far.

    A reference may lead anywhere, to what is no schema too: `check_schema` has seen only what stands where
    schemas do.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._depth = 0
        self._references = 0
        self._effort = 0

    def write(self, schema: Any) -> str:
        """The pattern of one schema."""
        self._spend(_STEP)
        if self._depth == _MAX_DEPTH:
            raise SchemaRefused("the schema is too deep")
        self._depth += 1
        try:
            return self._counted(self._write(schema))
        finally:
            self._depth -= 1

    def _counted(self, pattern: str) -> str:
        self._spend(len(pattern))
        return pattern

    def _spend(self, effort: int) -> None:
        self._effort += effort
        if self._effort > MAX_EFFORT:
            raise SchemaRefused("the schema is too large")

    def _write(self, schema: Any) -> str:
        if schema == {} and isinstance(schema, dict):
            kinds = (self.write({"type": kind}) for kind in _ANYTHING)
            return f"({'|'.join(f'({kind})' for kind in kinds)})"
        if not isinstance(schema, dict):
            raise SchemaRefused(f"Unsupported JSON Schema structure {_json(schema)}")
        if "properties" in schema:
            return self._properties(schema)
        for key, join in (("allOf", ""), ("anyOf", "|"), ("oneOf", "|")):
            if key in schema:
                return f"({join.join(f'(?:{self.write(part)})' for part in _list(schema, key))})"
        if "prefixItems" in schema:
            inner = f"{_BLANK},{_BLANK}".join(self.write(part) for part in _list(schema, "prefixItems"))
            return rf"\[{_BLANK}{inner}{_BLANK}\]"
        if "enum" in schema:
            return f"({'|'.join(_literal(choice) for choice in _list(schema, 'enum'))})"
        if "const" in schema:
            return _literal(schema["const"])
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        if "type" in schema:
            return self._typed(schema)
        raise SchemaRefused(f"Unsupported JSON Schema structure {_json(schema)}")

    def _properties(self, schema: dict[str, Any]) -> str:
        listed, properties = schema.get("required", []), schema["properties"]
        if not isinstance(listed, list) or not isinstance(properties, dict):
            raise SchemaRefused("'properties' must be an object and 'required' an array")
        self._spend(len(listed))
        required = {name for name in listed if isinstance(name, str)}
        members: list[tuple[str, bool]] = []
        for name, inner in properties.items():
            try:
                value = self.write(inner)
            except _TooDeep:
                continue
            key = re.escape(_json(name)[1:-1])
            members.append((f'{_BLANK}"{key}"{_BLANK}:{_BLANK}{value}', name in required))
        last = max((i for i, (_, needed) in enumerate(members) if needed), default=None)
        if last is None:
            return rf"\{{{_any_of_these([member for member, _ in members])}{_BLANK}\}}"
        written: list[str] = []
        for index, (member, needed) in enumerate(members):
            if index < last:
                member = f"{member}{_BLANK},"
            elif index > last:
                member = f"{_BLANK},{member}"
            written.append(member if needed else f"({member})?")
        return rf"\{{{''.join(written)}{_BLANK}\}}"

    def _reference(self, reference: Any) -> str:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise SchemaRefused(f"External references are not supported: {reference}")
        self._spend(len(reference))
        if self._references > MAX_REFERENCES:
            raise _TooDeep(f"Ref recursion limit reached: {MAX_REFERENCES}")
        found = self._root
        for part in filter(None, reference[1:].split("/")):
            if not isinstance(found, dict) or part not in found:
                raise SchemaRefused(f"Invalid reference path: {reference}")
            found = found[part]
        self._references += 1
        try:
            return self.write(found)
        finally:
            self._references -= 1

    def _typed(self, schema: dict[str, Any]) -> str:
        kind = schema["type"]
        if isinstance(kind, list):
            written = (self._counted(self._of_type(one, schema)) for one in kind)
            return f"({'|'.join(f'(?:{pattern})' for pattern in written)})"
        return self._of_type(kind, schema)

    def _of_type(self, kind: Any, schema: dict[str, Any]) -> str:
        if kind == "string":
            return _string(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "object":
            return self._object(schema)
        simple = {"integer": _INTEGER, "number": _NUMBER, "boolean": "(true|false)", "null": "null"}
        if not isinstance(kind, str) or kind not in simple:
            raise SchemaRefused(f"Unsupported type: {kind if isinstance(kind, str) else _json(kind)}")
        return simple[kind]

    def _array(self, schema: dict[str, Any], depth: int = _ANY_DEPTH) -> str:
        low, high = _count(schema, "minItems") or 0, _count(schema, "maxItems")
        if high == 0:
            return rf"\[{_BLANK}\]"
        item = f"({self.write(schema['items'])})" if schema.get("items") else self._some(depth)
        more = f"{{{max(low - 1, 0)},{'' if high is None else high - 1}}}"
        inner = f"({item}(,{_BLANK}{item}){more})"
        return rf"\[{_BLANK}{inner}{'?' if low == 0 else ''}{_BLANK}\]"

    def _object(self, schema: dict[str, Any], depth: int = _ANY_DEPTH) -> str:
        value = schema.get("additionalProperties")
        value = self.write(value) if isinstance(value, dict) and value else self._some(depth)
        member = f"{_STRING}{_BLANK}:{_BLANK}{value}"
        return rf"\{{{_BLANK}({member}({_BLANK},{_BLANK}{member})*)?{_BLANK}\}}"

    def _some(self, depth: int) -> str:
        """Any value, lists and objects in it `depth` levels deep."""
        simple = [_STRING, _NUMBER, "true", "false", "null"]
        if depth:
            simple += [self._array({}, depth - 1), self._object({}, depth - 1)]
        return f"({'|'.join(simple)})"


_ANYTHING = ("boolean", "null", "number", "integer", "string", "array", "object")


def _any_of_these(members: list[str]) -> str:
    """Members of which each may be missing, in their order, commas only between them."""
    before, choices, length = "", [], 0
    for member in members:
        choices.append(before + member)
        length += len(choices[-1])
        if length > MAX_PATTERN:
            raise SchemaRefused("the schema is too large")
        before += f"({member}{_BLANK},)?"
    return f"({'|'.join(choices)})?"


def _string(schema: dict[str, Any]) -> str:
    low, high = _count(schema, "minLength"), _count(schema, "maxLength")
    if low is not None or high is not None:
        if low is not None and high is not None and low > high:
            raise SchemaRefused("maxLength must be greater than or equal to minLength")
        return f'"{_CHARACTER}{{{low or 0},{"" if high is None else high}}}"'
    pattern, form = schema.get("pattern"), schema.get("format")
    if isinstance(pattern, str):
        anchored = pattern.startswith("^") and pattern.endswith("$") and len(pattern) > 1
        return f'("{pattern[1:-1] if anchored else pattern}")'
    if isinstance(form, str):
        if form not in _FORMATS:
            raise SchemaRefused(f"Format {form} is not supported by Outlines")
        return _FORMATS[form]
    return _STRING


def _count(schema: dict[str, Any], key: str) -> int | None:
    value = schema.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _list(schema: dict[str, Any], key: str) -> list[Any]:
    value = schema[key]
    if not isinstance(value, list):
        raise SchemaRefused(f"{key} must be an array")
    return value


def _literal(value: Any) -> str:
    if isinstance(value, dict | list):
        raise SchemaRefused(f"Unsupported data type in enum: {_json(value)}")
    return re.escape(_json(value))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
