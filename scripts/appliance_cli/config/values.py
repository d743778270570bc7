"""Reads one value of .env: text, a whole number, a number. An empty one counts as unset. Pure."""

import re
from collections.abc import Mapping

from appliance_cli.base.errors import BadSetting


def text(values: Mapping[str, str], key: str) -> str:
    """The value without blanks around it; "" when it is not set."""
    return values.get(key, "").strip()


def whole(values: Mapping[str, str], key: str, low: int, high: int) -> int | None:
    """A whole number from ``low`` to ``high``; None when it is not set. Raises BadSetting."""
    found = text(values, key)
    if not found:
        return None
    if found.isascii() and found.isdigit() and low <= int(found) <= high:
        return int(found)
    raise _unusable(key, f"a whole number from {low} to {high}", found)


def number(values: Mapping[str, str], key: str, low: float, high: float) -> float | None:
    """A number from ``low`` to ``high``, such as 0.72; None when it is not set. Raises BadSetting."""
    found = text(values, key)
    if not found:
        return None
    if re.fullmatch(r"\d+(\.\d+)?|\.\d+", found) and low <= float(found) <= high:
        return float(found)
    raise _unusable(key, f"a number from {low:g} to {high:g}", found)


def _unusable(key: str, expected: str, found: str) -> BadSetting:
    remedy = f"set {key} in .env, or remove the line to get the default"
    return BadSetting(f"{key} cannot be used", expected=expected, found=repr(found), remedy=remedy)
