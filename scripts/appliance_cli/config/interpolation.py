"""Variables in a value of .env, filled in as Compose does: ``$X``, ``${X}``, ``${X:-default}``, … Pure.

Written after github.com/compose-spec/compose-go, template/template.go, and held to Compose itself by a test.
"""

import re
from collections.abc import Callable

Lookup = Callable[[str], str | None]
"""The value of a variable, None when it is not set."""

_NAME = "[_a-zA-Z][_a-zA-Z0-9]*"
_VARIABLE = re.compile(rf"\$(?:(?P<escaped>\$)|(?P<named>{_NAME})|(?P<brace>\{{))")
# Up to the line's last brace: which one ends it is found by counting.
_BRACED = re.compile(rf"(?P<name>{_NAME})(?:\}}|(?P<operator>:?[-+?]).*\}})")


class InterpolationError(ValueError):
    """A ``${…}`` that Compose refuses."""


def interpolate(text: str, lookup: Lookup) -> str:
    """The text with its variables filled in; one that is not set gives nothing.

    Raises InterpolationError for a form that Compose does not know, and for a required variable (``${X:?}``)
    that is missing.
    """
    done: list[str] = []
    position = 0
    while match := _VARIABLE.search(text, position):
        done.append(text[position : match.start()])
        position = match.end()
        if match["escaped"]:
            done.append("$")
        elif match["named"]:
            done.append(lookup(match["named"]) or "")
        else:
            value, position = _braced(text, position, lookup)
            done.append(value)
    return "".join(done) + text[position:]


def unset(text: str, lookup: Lookup) -> bool:
    """Whether a ``$X`` or ``${X}`` in it stands for a variable that is not set, and so for nothing."""
    for match in _VARIABLE.finditer(text):
        braced = _BRACED.match(text, match.end()) if match["brace"] else None
        name = match["named"] or (braced["name"] if braced and not braced["operator"] else None)
        if name and lookup(name) is None:
            return True
    return False


def _braced(text: str, position: int, lookup: Lookup) -> tuple[str, int]:
    """The value of what stands behind ``${``, and where the text goes on."""
    match = _BRACED.match(text, position)
    if match is None:
        forms = "${NAME}, ${NAME:-default}, ${NAME:+word}"
        raise InterpolationError(f"{text[position - 2 :]!r} begins with none of {forms}")
    value, operator = lookup(match["name"]), match["operator"] or ""
    if not operator:
        return value or "", match.end()
    end = _closing_brace(text, position, match.end() - 1)
    word = text[match.end("operator") : end]
    there = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("-"):
        told = (value or "") if there else interpolate(word, lookup)
    elif operator.endswith("+"):
        told = interpolate(word, lookup) if there else ""
    elif there:
        told = value or ""
    else:
        reason = interpolate(word, lookup) or "it is required"
        raise InterpolationError(f"{match['name']} is not set: {reason}")
    return told, end + 1


def _closing_brace(text: str, position: int, last: int) -> int:
    """Where the brace before ``position`` is closed. Compose skips whatever follows an opening one."""
    depth, index = 1, position + 1
    while index <= last:
        if text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
        elif text[index] == "{":
            depth += 1
            index += 1
        index += 1
    return last
