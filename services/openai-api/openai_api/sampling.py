"""What both routes share: how the answer is drawn, where it ends, how it is sent."""

from __future__ import annotations

from openai_api import checks
from openai_api.checks import Json, invalid, wrong_type

MOST_TOKENS = (1 << 31) - 1
MOST_STOPS = 4
"""TGI's own default of --max-stop-sequences."""
COLDEST = 1e-4
"""A temperature below is 0: dividing by less overflows."""
NEARLY_ALL = 0.9999999
"""From here on the engine's 32 bits make 1 of a top_p, which it refuses."""


def sampling(fields: Json) -> Json:
    """The engine's fields for how the answer is drawn."""
    found: Json = {}
    temperature = checks.number(fields, "temperature", 0, 2)
    top_p = checks.number(fields, "top_p", 0, 1)
    # why: beside a temperature of 0 TGI's top_p would bring the dice back
    if (temperature is not None and temperature < COLDEST) or top_p == 0:
        found["temperature"] = 0
    else:
        if temperature is not None:
            found["temperature"] = temperature
        if top_p is not None and top_p < NEARLY_ALL:
            found["top_p"] = max(top_p, 1e-6)
    if penalty := checks.number(fields, "frequency_penalty", -2, 2):
        found["frequency_penalty"] = penalty
    seed = checks.integer(fields, "seed", -(1 << 63), (1 << 64) - 1)
    if seed is not None:
        found["seed"] = seed % (1 << 64)
    return found


def stops(fields: Json) -> list[str]:
    """The texts that end the answer."""
    value = fields.get("stop")
    if value is None:
        return []
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise wrong_type("stop", "a string or an array of strings", value)
    found = [one for one in found if one]
    if len(found) > MOST_STOPS:
        raise invalid("stop", f"expected at most {MOST_STOPS} texts, found {len(found)}.")
    return found


def streaming(fields: Json) -> tuple[bool, bool]:
    """Whether the answer is streamed, and whether its usage is told at the end."""
    options = checks.mapping(fields, "stream_options") or {}
    for name, value in options.items():
        if name not in ("include_usage", "include_obfuscation") and value:
            raise checks.unsupported(f"stream_options.{name[:64]}", "leave it out.")
    return checks.boolean(fields, "stream"), checks.boolean(options, "include_usage")
