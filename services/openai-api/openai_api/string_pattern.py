"""A schema's `pattern`: read, and written again so that what it matches can stand between JSON's quotes.

Owns one subset of regular expressions: what a grammar of either engine can say. A pattern is matched as a
whole; inside it a `.` or a set never means a quote, a backslash or a control character, which would end or
break the string. No words of JSON Schema here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_CHARACTERS = 1_000
MOST_POSITIONS = 1_000
"""Characters that it can match, each repetition counted as often as it may occur."""
MOST_MEMBERS = 10_000
"""Of its sets, likewise: llama.cpp goes through all of them with every token that it knows."""
_MOST_DEPTH = 50
_LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
_UNSAFE: Ranges = ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x9F), (0xD800, 0xDFFF))
_CLASSES: dict[str, Ranges] = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "s": ((0x20, 0x20),),
}
_SPACES: Ranges = (
    *((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_QUANTIFIER = re.compile(r"[*+?]|\{(\d{1,4})(,(\d{0,4}))?\}")
_CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})")


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


def read(pattern: str) -> Node:
    """What a client's pattern says.

    Raises:
        PatternRefused: see there.
    """
    if len(pattern) > MOST_CHARACTERS:
        raise PatternRefused(f"has {len(pattern):,} characters; the bound is {MOST_CHARACTERS:,}")
    node = _Parser(pattern, _MOST_DEPTH).whole()
    positions, members = _size(node)
    if positions > MOST_POSITIONS:
        raise PatternRefused(
            f"matches up to {positions:,} characters one by one; the bound is {MOST_POSITIONS:,}"
        )
    if members > MOST_MEMBERS:
        raise PatternRefused(f"has sets of {members:,} members in all; the bound is {MOST_MEMBERS:,}")
    return node


def reread(expression: str) -> Node:
    """What `written` has written, which is longer and has a group or two around it."""
    return _Parser(expression, _MOST_DEPTH + 3).whole()


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


def _size(node: Node) -> tuple[int, int]:
    """Characters that it can match, and members of their sets."""
    match node:
        case Characters(ranges):
            return 1, len(ranges)
        case Sequence(parts) | Choice(parts):
            sizes = [_size(part) for part in parts]
            return sum(size for size, _ in sizes), sum(members for _, members in sizes)
        case Repeated(part, low, high):
            times = max(low, high or 0, 1)
            size, members = _size(part)
            return size * times, members * times


def _set(ranges: Ranges) -> str:
    safe = _without(ranges, _UNSAFE)
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
    if safe[-1][1] == _LAST:  # said by what is not in it: no range beyond what both engines read
        excluded = _without(((0, _LAST),), (*safe, (0xD800, 0xDFFF)))
        return f"[^{''.join(_range(low, high) for low, high in excluded)}]"
    return f"[{''.join(_range(low, high) for low, high in safe)}]"


def _range(low: int, high: int) -> str:
    return _code(low) if low == high else f"{_code(low)}-{_code(high)}"


def _code(code: int) -> str:
    char = chr(code)
    return char if code > 0xFF or (char.isascii() and char.isalnum()) else f"\\x{code:02x}"


def _without(ranges: Ranges, taken: Ranges) -> Ranges:
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


class _Parser:
    """A cursor over a pattern."""

    def __init__(self, pattern: str, most_depth: int) -> None:
        self._most_depth = most_depth
        self._pattern = pattern.removeprefix("^")
        if self._pattern.endswith("$") and not self._pattern.endswith("\\$"):
            self._pattern = self._pattern[:-1]
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._choice()
        if self._at < len(self._pattern):
            raise PatternRefused("closes a group that it did not open")
        return node

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        if not char:
            raise PatternRefused("ends too early")
        self._at += 1
        return char

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > self._most_depth:
            raise PatternRefused("is nested too deeply")
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        self._depth -= 1
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._quantified())
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quantified(self) -> Node:
        node = self._atom()
        if match := _QUANTIFIER.match(self._pattern, self._at):
            self._at = match.end()
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(match[0], (0, None))
            if match[1] is not None:
                low = int(match[1])
                high = low if match[2] is None else int(match[3]) if match[3] else None
            if high is not None and high < low:
                raise PatternRefused("has a repetition that ends before it begins")
            if self._peek() == "?":  # lazy or not is for who searches
                self._at += 1
            elif _QUANTIFIER.match(self._pattern, self._at):
                raise PatternRefused("repeats a repetition")
            node = Repeated(node, low, high) if high != 0 else Sequence(())
        return node

    def _atom(self) -> Node:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return Characters(self._set())
        if char == ".":
            return Characters(((0, _LAST),))
        if char == "\\":
            return Characters(self._escaped())
        if char in "*+?{^$":
            raise PatternRefused(f"has {char} where a grammar cannot have it")
        return Characters(((ord(char), ord(char)),))

    def _group(self) -> Node:
        if self._peek() == "?":
            self._at += 1
            if named := re.compile(r"P?<[A-Za-z_]\w*>").match(self._pattern, self._at):
                self._at = named.end()
            elif self._next() != ":":
                raise PatternRefused("looks ahead or back, which a grammar cannot")
        node = self._choice()
        if self._next() != ")":
            raise PatternRefused("does not close a group")
        return node

    def _escaped(self) -> Ranges:
        char = self._next()
        if char in _CLASSES:
            return _CLASSES[char]
        if char.lower() in _CLASSES:
            return _without(((0, _LAST),), _SPACES if char == "S" else _CLASSES[char.lower()])
        code = ord(_CONTROLS[char]) if char in _CONTROLS else self._coded(char)
        return ((code, code),)

    def _coded(self, char: str) -> int:
        if match := _CODE.match(self._pattern, self._at - 1):
            self._at = match.end()
            return int(match[1] or match[2], 16)
        if char.isalnum():
            raise PatternRefused(f"has \\{char}, which a grammar cannot express")
        return ord(char)

    def _set(self) -> Ranges:
        negated = self._peek() == "^"
        self._at += negated
        inside: list[tuple[int, int]] = []
        first = True
        while self._peek() != "]" or first:
            first = False
            inside += self._member()
        self._at += 1
        return _without(((0, _LAST),), tuple(inside)) if negated else tuple(sorted(inside))

    def _member(self) -> Ranges:
        char = self._next()
        ranges = ((ord(char), ord(char)),) if char != "\\" else self._escaped()
        if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", ""):
            self._at += 1
            end = self._next()
            until = ((ord(end), ord(end)),) if end != "\\" else self._escaped()
            if len(ranges) != 1 or len(until) != 1 or ranges[0][0] > until[0][1]:
                raise PatternRefused("has a range that is none")
            return ((ranges[0][0], until[0][1]),)
        return ranges
