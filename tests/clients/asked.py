"""What the frameworks are asked for, the same by all: a greeting, a call of a tool, and a person.

What a small model says depends on who else is served and on which machine. So a greeting may be any text,
even an empty one; a call and a person end by their grammar, within `LIMIT` whatever is said; and JSON without
a schema, which ends when the model likes, is asked for until it does.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

MODEL = "tgi"
HELLO = "Say hello."
WEATHER = "Weather in Paris?"
DESCRIBED = "Ann is thirty. Answer in JSON."
REPEATED = 'Repeat: {"name": "Ann"}'
LIMIT = 120
"""Tokens: more than the longest call or person has characters."""
SHORT = 16
"""Tokens of a text that nobody needs the end of."""
_TRIES = 8

T = TypeVar("T")


class Cut(Exception):
    """The model did not come to an end within the limit."""


def until_whole(ask: Callable[[dict[str, Any]], T]) -> T:
    """What `ask` returns, first with the likeliest text, then with others while it raises `Cut`.

    Raises:
        AssertionError: all of them were cut.
    """
    for seed in range(_TRIES):
        with suppress(Cut):
            return ask({"temperature": 1, "seed": seed} if seed else {"temperature": 0})
    raise AssertionError(f"{_TRIES} answers, and none came to an end")


class Person(BaseModel):
    """A person, with few values, so that a small model comes to an end."""

    name: Literal["Ann", "Bob"]
    is_grown_up: bool


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """The weather in a city."""
    return f"18 C in {city}"


WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
        },
    },
}
