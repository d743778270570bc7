"""A JSON schema in the form that the engine's grammar understands, or a sentence that says why there is none.

Owns references, words that only describe, and what is refused by its name. Bounds of numbers, uniqueItems
and the like are left out: no grammar of either engine obeys them. What a schema costs is schema_cost's.
"""

from __future__ import annotations

from typing import Any

from openai_api.errors import BadRequest, SchemaTooLarge
from openai_api.pattern_nodes import PatternRefused, written
from openai_api.schema_cost import MOST_STATES, of_pattern
from openai_api.string_pattern import read

Schema = dict[str, Any]

MOST_NODES = 10_000
"""Schemas inside the schema, once its references are written out, and what its enums, patterns and
descriptions add."""
MOST_DEPTH = 64
_EFFORT = 20
"""Steps of counting a pattern's states that count as one."""
_DESCRIBED = 100
"""Characters of a description that count as one."""
_MOST_QUOTED = 200
"""Characters of a place or a reference in a sentence."""
MOST_CHOICES = 500
"""In one `enum`: llama.cpp tries each of them with every token that it knows."""
_OBEYED = (
    *("type", "properties", "required", "items", "prefixItems", "minItems", "maxItems", "enum", "const"),
    *("anyOf", "oneOf", "additionalProperties", "minLength", "maxLength", "pattern", "format"),
)
_NEEDED = ("type", "properties", "anyOf", "oneOf", "enum", "const", "prefixItems")
_REFUSED = (
    *("not", "if", "then", "else", "contains", "patternProperties", "dependentRequired", "dependentSchemas"),
    *("dependencies", "$dynamicRef", "$recursiveRef"),
)
_FORMATS = ("date", "time", "date-time", "uuid")
"""Others, such as email, only describe: JSON Schema says so, and the engine would refuse them."""


def plain(schema: object, keep_descriptions: bool = False) -> Schema:
    """The schema without references, titles and examples; what it asks for is the same.

    `keep_descriptions`: the model reads it, too.

    Raises:
        BadRequest: something in it cannot be a grammar.
        SchemaTooLarge: it has too many parts.
    """
    found = _Reader(schema, keep_descriptions).read(schema, "", ())
    if "properties" not in found:
        raise BadRequest(
            "The schema has no properties: an answer by a schema is an object with named properties. Give it "
            "'properties', or put what you ask for into a property of an object."
        )
    return found


class _Reader:
    """One schema that is being read; remembers its root for references, and how much there was."""

    def __init__(self, root: object, keep_descriptions: bool) -> None:
        self._root = root
        self._keep_descriptions = keep_descriptions
        self._nodes = 0
        self._depth = 0

    def read(self, schema: object, where: str, followed: tuple[str, ...]) -> Schema:
        """The plain form of a schema at `where`, inside references that are `followed`."""
        self._depth += 1
        self.count(1)
        found = self._read(schema, where, followed)
        if self._keep_descriptions and isinstance(schema, dict):
            description = schema.get("description")
            if isinstance(description, str):
                self.count(len(description) // _DESCRIBED)
                found["description"] = description
        self._depth -= 1
        return found

    def count(self, nodes: int) -> None:
        """So many more have been seen."""
        self._nodes += nodes
        if self._nodes > MOST_NODES or self._depth > MOST_DEPTH:
            raise SchemaTooLarge(
                f"The schema is too large: more than {MOST_NODES:,} parts or {MOST_DEPTH} levels. "
                "Ask for less at a time."
            )

    def _read(self, schema: object, where: str, followed: tuple[str, ...]) -> Schema:
        if schema is True:
            return {}
        if not isinstance(schema, dict):
            raise _refused(where, "is no schema: an object is expected")
        if "$ref" in schema:
            return self._follow(schema["$ref"], where, followed)
        if len(parts := _list(schema, "allOf", where)) > 0:
            return self.read(_merged(schema, parts, where, self), where, followed)
        for word in _REFUSED:
            if word in schema:
                raise _refused(where, f"has '{word}', which a grammar cannot express; leave it out")
        kept = {word: schema[word] for word in _OBEYED if word in schema}
        self._read_inner(kept, where, followed)
        return self._checked(kept, where)

    def _read_inner(self, kept: Schema, where: str, followed: tuple[str, ...]) -> None:
        if "properties" in kept:
            kept["properties"] = {
                name: self.read(inner, f"{where}.{name}", followed)
                for name, inner in _properties(kept, where).items()
            }
            kept.pop("additionalProperties", None)
        for word in ("anyOf", "oneOf", "prefixItems"):
            if word in kept:
                kept[word] = [
                    self.read(inner, f"{where}.{word}[{index}]", followed)
                    for index, inner in enumerate(_list(kept, word, where))
                ]
        if "items" in kept:
            kept["items"] = self.read(kept["items"], f"{where}[]", followed)
        if isinstance(kept.get("additionalProperties"), dict):
            kept["additionalProperties"] = self.read(kept["additionalProperties"], f"{where}.*", followed)
        elif kept.pop("additionalProperties", True) is False and kept.get("type") == "object":
            kept["properties"] = {}

    def _checked(self, kept: Schema, where: str) -> Schema:
        """What the engine would refuse, or write as something that is no JSON."""
        if "enum" in kept or "const" in kept:
            self._check_choices([kept["const"]] if "const" in kept else _list(kept, "enum", where), where)
        if kept.get("format") not in _FORMATS:
            kept.pop("format", None)
        if isinstance(kept.get("pattern"), str):
            kept["pattern"] = self._pattern(kept["pattern"], where)
        _check_shape(kept, where)
        return kept

    def _check_choices(self, choices: list[Any], where: str) -> None:
        if not choices:
            raise _refused(where, "has an empty 'enum'")
        if len(choices) > MOST_CHOICES:
            raise _refused(where, f"has an 'enum' of {len(choices):,} values; the bound is {MOST_CHOICES}")
        if any(isinstance(choice, dict | list) for choice in choices):
            raise _refused(
                where, "has lists or objects in 'enum' or 'const'; only simple values can be there"
            )
        self.count(sum(len(str(choice)) for choice in choices) // 4)

    def _pattern(self, pattern: str, where: str) -> str:
        try:
            expression = f"^({written(read(pattern))})$"
            size, _ = of_pattern(expression)
            if size.states >= MOST_STATES:
                raise PatternRefused(f"has {MOST_STATES} states or more as a grammar; make it shorter")
            self.count(len(pattern) + size.states + size.effort // _EFFORT)
            return expression
        except PatternRefused as refused:
            raise _refused(where, f"has a 'pattern' that {refused}") from None

    def _follow(self, reference: object, where: str, followed: tuple[str, ...]) -> Schema:
        if reference in followed:
            raise _refused(
                where,
                f"refers to itself ({_short(str(reference))}): a grammar has no such loops. "
                "Write out as many levels as you need",
            )
        return self.read(self.target(reference, where), where, (*followed, str(reference)))

    def target(self, reference: object, where: str) -> object:
        """What a reference stands for."""
        found = self._root
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _refused(
                where,
                f"refers to {_short(repr(reference))}: only what stands in the schema itself is followed",
            )
        for part in filter(None, reference[1:].split("/")):
            part = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or part not in found:
                raise _refused(where, f"refers to {_short(reference)}, which is not in the schema")
            found = found[part]
        return found


def _merged(schema: Schema, parts: list[Any], where: str, reader: _Reader) -> Schema:
    """What `allOf` and the words beside it say together; the engine would write its parts one by one."""
    whole: Schema = {word: value for word, value in schema.items() if word != "allOf"}
    if "properties" in whole:
        whole["properties"] = dict(_properties(whole, where))
    is_alias = len(parts) == 1 and not any(word in schema for word in _OBEYED)
    for part in parts:
        for _ in range(MOST_DEPTH):
            if not isinstance(part, dict) or "$ref" not in part or is_alias:
                break
            part = reader.target(part["$ref"], where)
        if not isinstance(part, dict):
            raise _refused(where, "has 'allOf' of something that is no schema")
        reader.count(1)
        for word, value in part.items():
            if word == "properties":
                reader.count(len(_properties(part, where)))
                whole.setdefault(word, {}).update(value)
            elif word in ("required", "allOf"):
                reader.count(len(_list(part, word, where)))
                whole[word] = [*_list(whole, word, where), *value]
            elif word in _OBEYED and word in whole and whole[word] != value:
                raise _refused(where, f"has 'allOf' whose parts differ in '{word}'; write it once")
            elif word != "description":
                whole[word] = value
            else:
                whole.setdefault(word, value)
    return whole


def _check_shape(kept: Schema, where: str) -> None:
    if "properties" in kept and "required" in kept:
        names = _list(kept, "required", where)
        if not all(isinstance(name, str) for name in names):
            raise _refused(where, "has 'required' that is no list of names")
        kept["required"] = [name for name in names if name in kept["properties"]]
    low, high = kept.get("minLength"), kept.get("maxLength")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        raise _refused(where, "has a minLength above its maxLength")
    if kept and not any(word in kept for word in _NEEDED):
        raise _refused(where, "has no 'type'")


def _properties(schema: Schema, where: str) -> Schema:
    value = schema["properties"]
    if not isinstance(value, dict):
        raise _refused(where, "has 'properties' that are no object")
    return value


def _list(schema: Schema, word: str, where: str) -> list[Any]:
    value = schema.get(word, [])
    if not isinstance(value, list):
        raise _refused(where, f"has '{word}' that is no list")
    return value


def _short(told: str) -> str:
    return told if len(told) <= _MOST_QUOTED else told[:_MOST_QUOTED] + "…"


def _refused(where: str, what: str) -> BadRequest:
    return BadRequest(f"The schema{f' at {_short(where[1:])}' if where else ''} {what}.")
