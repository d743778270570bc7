"""What a pattern is: characters, one after another, one of several, again and again; and how it is written so
that what it matches can stand between JSON's quotes.

Inside a string a `.` or a set never means a quote, a backslash or a control character, which would end or
break it. Which patterns are read is string_pattern's.
"""

from __future__ import annotations

from dataclasses import dataclass

LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
_UNSAFE: Ranges = ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x9F), (0xD800, 0xDFFF))


class PatternRefused(Exception):
    """It is broken, or says what a grammar cannot; the message continues "the pattern …"."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of those."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of them."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """Again and again; `high` None is without end."""

    part: Node
    low: int
    high: int | None


Node = Characters | Sequence | Choice | Repeated


def written(node: Node) -> str:
    """The expression that matches it inside a JSON string."""
    match node:
        case Characters(ranges):
            return _set(ranges)
        case Sequence(parts):
            return "".join(f"({written(p)})" if isinstance(p, Choice) else written(p) for p in parts)
        case Choice(branches):
            return "|".join(written(branch) for branch in branches)
        case Repeated(part, low, high):
            inner = written(part)
            inner = inner if isinstance(part, Characters) and inner[0] == "[" else f"({inner})"
            short = {(0, None): "*", (1, None): "+", (0, 1): "?"}
            return inner + short.get((low, high), f"{{{low},{'' if high is None else high}}}")


def is_ascii(node: Node) -> bool:
    """Whether it matches nothing else; other characters are several bytes, each of them a state."""
    match node:
        case Characters(ranges):
            return all(high < 0x80 for _, high in ranges)
        case Sequence(parts) | Choice(parts):
            return all(map(is_ascii, parts))
        case Repeated(part):
            return is_ascii(part)


def without(ranges: Ranges, taken: Ranges) -> Ranges:
    """What is in these and not in those."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        for first, last in sorted(taken):
            if last < low or first > high:
                continue
            if first > low:
                found.append((low, first - 1))
            low = last + 1
        if low <= high:
            found.append((low, high))
    return tuple(found)


def _set(ranges: Ranges) -> str:
    safe = without(ranges, _UNSAFE)
    if not safe:
        escapes = {
            0x22: r"\\\"",
            0x5C: r"\\\\",
            0x08: r"\\b",
            0x0A: r"\\n",
            0x0D: r"\\r",
            0x09: r"\\t",
            0x0C: r"\\f",
        }
        written = [escapes[code] for low, _ in ranges if (code := low) in escapes]
        if not written:
            raise PatternRefused("asks for control characters")
        return f"({'|'.join(written)})"
    if safe[-1][1] == LAST:  # said by what is not in it: no range beyond what both engines read
        excluded = without(((0, LAST),), (*safe, (0xD800, 0xDFFF)))
        return f"[^{''.join(_range(low, high) for low, high in excluded)}]"
    return f"[{''.join(_range(low, high) for low, high in safe)}]"


def _range(low: int, high: int) -> str:
    return _code(low) if low == high else f"{_code(low)}-{_code(high)}"


def _code(code: int) -> str:
    char = chr(code)
    return char if code > 0xFF or (char.isascii() and char.isalnum()) else f"\\x{code:02x}"
