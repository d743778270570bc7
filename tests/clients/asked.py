"""What the frameworks are asked for, the same by all: a greeting, a call of a tool, and a person."""

from typing import Literal

from pydantic import BaseModel

MODEL = "tgi"
HELLO = "Say hello."
WEATHER = "Weather in Paris?"
DESCRIBED = "Ann is thirty. Answer in JSON."
REPEATED = 'Repeat: {"name": "Ann"}'


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
