"""Reads a schema's `pattern`: one subset of regular expressions, what a grammar of either engine can say.

A pattern is matched as a whole. No words of JSON Schema here.
"""

from __future__ import annotations

import re

from openai_api.pattern_nodes import (
    LAST,
    Characters,
    Choice,
    Node,
    PatternRefused,
    Ranges,
    Repeated,
    Sequence,
    without,
)

MOST_CHARACTERS = 1_000
MOST_POSITIONS = 1_000
"""Characters that it can match, each repetition counted as often as it may occur."""
MOST_MEMBERS = 10_000
"""Of its sets, likewise: llama.cpp goes through all of them with every token that it knows."""
_MOST_DEPTH = 50
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
            return Characters(((0, LAST),))
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
            return without(((0, LAST),), _SPACES if char == "S" else _CLASSES[char.lower()])
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
        return without(((0, LAST),), tuple(inside)) if negated else tuple(sorted(inside))

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
