"""The grammars that OpenAI's `response_format` becomes: any JSON object, and objects by a schema.

TGI gives nobody a token while it prepares a grammar that it has not seen (docs/performance.md, "Grammars"), so what
would take long is refused, and the one grammar that everybody shares is prepared before anybody asks (warm).
"""

from __future__ import annotations

from typing import Any

from openai_api.errors import SchemaTooLarge
from openai_api.schema_cost import cost_of
from openai_api.schema_form import plain

MOST_SECONDS = 6.0
"""Foretold for the grammar of one schema."""

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


def check_schema(schema: object, most_seconds: float = MOST_SECONDS) -> dict[str, Any]:
    """The schema as the engine gets it.

    Raises:
        SchemaTooLarge: its grammar would keep everybody waiting.
        BadRequest: it cannot be a grammar; both say what to change.
    """
    found = plain(schema)
    cost = cost_of(found)
    if cost.seconds > most_seconds:
        raise SchemaTooLarge(
            f"The schema is too large: its grammar has about {cost.states:,.0f} states, for which everybody would "
            f"wait about {cost.seconds:.0f} seconds; the bound is {most_seconds:g}. Ask for fewer fields at a time, "
            "shorten names, and leave out maxLength, maxItems and long enums."
        )
    return found
