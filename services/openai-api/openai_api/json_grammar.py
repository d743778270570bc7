"""The grammars that OpenAI's `response_format` becomes: any JSON object, and objects by a schema.

TGI gives nobody a token while it prepares a grammar that it has not seen (docs/performance.md, "Grammars"),
so what would take long is refused, and the one grammar that everybody shares is prepared before anybody
asks (warm).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import orjson

from openai_api.errors import SchemaTooLarge
from openai_api.schema_cost import cost_of
from openai_api.schema_form import plain

log = logging.getLogger(__name__)

MOST_SECONDS = 10.0
"""Foretold for the grammar of a schema: about 20 fields. An engine prepares it once."""
MOST_TOOLS_SECONDS = 30.0
"""Likewise for tools, which a program always offers together: about a dozen with three parameters each."""
SAID_SECONDS = 1.0
"""From here on the log says it, once for each grammar."""
_MOST_SAID = 1_000
_said: set[int] = set()
"""Hashes of those grammars."""

_BLANK = "[ ]?"
_STRING = r'"([^"\\\x00-\x1F]|\\["\\/bfnrt])*"'
_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"


def any_json_object(depth: int) -> str:
    """The regular expression of a JSON object with lists and objects in it, `depth` levels deep."""
    member = f"{_STRING}{_BLANK}:{_BLANK}{_any_value(depth)}"
    return rf"\{{{_BLANK}({member}({_BLANK},{_BLANK}{member})*)?{_BLANK}\}}"


def _any_value(depth: int) -> str:
    kinds = [_STRING, _NUMBER, "true", "false", "null"]
    if depth:
        item = _any_value(depth - 1)
        kinds += [rf"\[{_BLANK}({item}({_BLANK},{_BLANK}{item})*)?{_BLANK}\]", any_json_object(depth - 1)]
    return f"({'|'.join(kinds)})"


ANY_JSON_OBJECT = any_json_object(2)
"""A regular grammar has no loops: so many levels below the object itself."""


def check_schema(
    schema: object, most_seconds: float = MOST_SECONDS, keep_descriptions: bool = False
) -> dict[str, Any]:
    """The schema as the engine gets it.

    Raises:
        SchemaTooLarge: its grammar would keep everybody waiting.
        BadRequest: it cannot be a grammar; both say what to change.
    """
    found = plain(schema, keep_descriptions)
    _bound(found, most_seconds, "The schema", "Ask for fewer fields at a time, shorten names")
    return found


def check_tools(functions: Mapping[str, Mapping[str, Any]], most_seconds: float = MOST_TOOLS_SECONDS) -> None:
    """Tools that are offered together are one grammar; `functions` are their parameters, checked, by name.

    Raises:
        SchemaTooLarge: it would keep everybody waiting.
    """
    offered = [
        {
            "properties": {"_name": {"const": name}, **(parameters.get("properties") or {})},
            "required": ["_name"],
        }
        for name, parameters in functions.items()
    ]
    together = {"properties": {"function": {"anyOf": offered}}}
    _bound(together, most_seconds, "The tools together", "Offer fewer tools at a time, with fewer parameters")


def _bound(schema: dict[str, Any], most_seconds: float, what: str, advice: str) -> None:
    cost = cost_of(schema)
    if cost.seconds > most_seconds:
        raise SchemaTooLarge(
            f"{what} would stop everybody's answers for about {cost.seconds:,.0f} seconds while the engine "
            f"prepares a grammar of about {cost.states:,.0f} states; the bound is {most_seconds:g} seconds. "
            f"{advice}, and leave out large enums, maxLength, maxItems, and objects without properties."
        )
    if cost.seconds > SAID_SECONDS and (grammar := hash(orjson.dumps(schema))) not in _said:
        if len(_said) >= _MOST_SAID:
            _said.clear()
        _said.add(grammar)
        log.info("%s may stop all answers for about %.0f seconds, once for each engine", what, cost.seconds)
