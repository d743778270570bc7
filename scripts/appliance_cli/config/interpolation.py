"""Variables in a value of .env, filled in as Compose does: ``$X``, ``${X}``, ``${X:-default}``, … Pure.

Written after github.com/compose-spec/compose-go, template/template.go, and held to Compose itself by a test.
"""

import re
from collections.abc import Callable

Lookup = Callable[[str], str | None]
"""The value of a variable, None when it is not set."""

_NAME = "[_a-zA-Z][_a-zA-Z0-9]*"
_VARIABLE = re.compile(rf"\$(?:(?P<escaped>\$)|(?P<named>{_NAME})|(?P<brace>\{{))")
# why: no newline in the second part, where Compose's own pattern takes none
_BRACED = re.compile(rf"(?P<name>{_NAME})(?:(?P<operator>:?[-+?])(?P<word>.*))?")


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
            end = _closing_brace(text, position)
            done.append(_braced(text[position:end], lookup))
            position = end + 1
    return "".join(done) + text[position:]


def _closing_brace(text: str, position: int) -> int:
    depth = 1
    for match in re.finditer(r"\$\{|\}", text[position:]):
        depth += 1 if match[0] == "${" else -1
        if depth == 0:
            return position + match.start()
    raise InterpolationError(f"{text!r} has a ${{ without its }}")


def _braced(inner: str, lookup: Lookup) -> str:
    match = _BRACED.fullmatch(inner)
    if match is None:
        raise InterpolationError(f"${{{inner}}} is none of ${{NAME}}, ${{NAME:-default}}, ${{NAME:+word}}")
    value, word = lookup(match["name"]), match["word"]
    operator: str = match["operator"] or ""
    there = value is not None and (value != "" or not operator.startswith(":"))
    match operator[-1:]:
        case "-" if not there:
            return interpolate(word, lookup)
        case "+":
            return interpolate(word, lookup) if there else ""
        case "?" if not there:
            told = interpolate(word, lookup) or "it is required"
            raise InterpolationError(f"{match['name']} is not set: {told}")
    return value or ""
