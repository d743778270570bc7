"""Reads fields of a parsed JSON object and refuses, by name, what is not of its form.

Knows types and ranges, not what a field means. `null` is as good as absent, as in OpenAI's API.
"""

from __future__ import annotations

from typing import Any

from openai_api.errors import BadRequest

Json = dict[str, Any]
_KINDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def wrong_type(name: str, expected: str, value: object) -> BadRequest:
    """The refusal of a value that is of another type."""
    found = _KINDS.get(type(value), type(value).__name__)
    return BadRequest(f"Invalid type for '{name}': expected {expected}, found {found}.", name, "invalid_type")


def invalid(name: str, why: str) -> BadRequest:
    """The refusal of a value of the right type; `why` says what is accepted."""
    return BadRequest(f"Invalid value for '{name}': {why}", name, "invalid_value")


def unsupported(name: str, why: str) -> BadRequest:
    """The refusal of something that OpenAI's API has and this model has not."""
    return BadRequest(f"Unsupported parameter '{name}': {why}", name, "unsupported_parameter")


def number(fields: Json, name: str, low: float, high: float) -> float | None:
    """A number from `low` to `high`."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, "a number", value)
    if not low <= value <= high:
        raise invalid(name, f"expected a number from {low:g} to {high:g}, found {value:g}.")
    return float(value)


def integer(fields: Json, name: str, low: int, high: int) -> int | None:
    """A whole number from `low` to `high`; 5.0 is one, too."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "an integer", value)
    if not low <= value <= high:
        raise invalid(name, f"expected a whole number from {low} to {high}, found {value}.")
    return value


def boolean(fields: Json, name: str) -> bool:
    """True or false; false where there is none."""
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise wrong_type(name, "a boolean", value)
    return value


def text(fields: Json, name: str, where: str = "") -> str | None:
    """A string. `where` comes before the field's name in a refusal."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong_type(where + name, "a string", value)
    return value


def needed_text(fields: Json, name: str, where: str = "") -> str:
    """A string that must be there."""
    value = text(fields, name, where)
    if value is None:
        raise BadRequest(f"Missing required parameter: '{where}{name}'.", where + name, "missing_parameter")
    return value


def array(fields: Json, name: str, where: str = "") -> list[Any] | None:
    """A list."""
    value = fields.get(name)
    if value is not None and not isinstance(value, list):
        raise wrong_type(where + name, "an array", value)
    return value


def mapping(fields: Json, name: str, where: str = "") -> Json | None:
    """An object."""
    value = fields.get(name)
    return None if value is None else as_object(value, where + name)


def as_object(value: object, name: str) -> Json:
    """`value`, which must be an object."""
    if not isinstance(value, dict):
        raise wrong_type(name, "an object", value)
    return value
