"""Regular expressions as llama.cpp's grammars (GBNF). Pure, no I/O.

What a grammar cannot say (looking ahead, back-references, words' bounds) is refused, and so is what llama.cpp
would unfold into more than it can walk through between two tokens.
"""

import re
from dataclasses import dataclass

from cpu_engine.engine import MAX_PATTERN
from cpu_engine.llama import ways
from cpu_engine.llama.ways import MAX_WAYS, Ways

MAX_ELEMENTS = 40_000
MAX_BRANCHES = 500
"""Of one choice: llama.cpp tries each of them with every token that it knows."""
MAX_MEMBERS = 1_000
"""Of one set, for the same reason; a range is two."""
_MAX_DEPTH = 150
_LONG = 24
_CLASSES = {"d": "0-9", "w": "a-zA-Z0-9_", "s": r" \t\n\r\x0B\x0C"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_KINDS_OF = {
    "d": frozenset({"digit"}),
    "w": frozenset({"letter", "digit", "mark"}),
    "s": frozenset({"blank", "mark"}),
}
_ANY_KIND = frozenset(ways.KINDS)
_TIMES: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_SHORT = {"{0,}": "*", "{1,}": "+", "{0,1}": "?"}
_QUANTIFIER = re.compile(r"[*+?]|\{(\d{1,9})(,(\d{0,9}))?\}")


class NoGrammar(Exception):
    """The expression is broken, or says what a grammar cannot."""


def grammar_of(pattern: str) -> str:
    """The grammar whose texts are those that `pattern` matches as a whole.

    Raises:
        NoGrammar: there is none.
    """
    if len(pattern) > MAX_PATTERN:
        raise NoGrammar("it is too large")
    return f"root ::= {_Parser(pattern).whole()}\n"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an expression: the grammar's text, how many elements it unfolds to, the ways through it."""

    text: str
    size: int
    ways: Ways


class _Parser:
    """A cursor over an expression."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern.removeprefix("^")
        if self._pattern.endswith("$") and not self._pattern.endswith("\\$"):
            self._pattern = self._pattern[:-1]
        self._at = 0
        self._rules: dict[str, str] = {}
        self._elements = 0
        self._depth = 0

    def whole(self) -> str:
        part = self._alternatives()
        if self._at < len(self._pattern):
            raise NoGrammar("an unopened group")
        return "\n".join([part.text, *(f"{name} ::= {rule}" for rule, name in self._rules.items())])

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        if not char:
            raise NoGrammar("it ends too early")
        self._at += 1
        return char

    def _alternatives(self) -> _Part:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise NoGrammar("its groups are too deep")
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        self._depth -= 1
        if len(branches) > MAX_BRANCHES:
            raise NoGrammar("a choice among too many")
        return _Part(
            " | ".join(branch.text for branch in branches),
            _bounded(sum(branch.size for branch in branches)),
            _followed(ways.choice([branch.ways for branch in branches])),
        )

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        total = 0
        while self._peek() not in ("", "|", ")"):
            parts.append(self._quantified())
            total = _bounded(total + parts[-1].size)
        text = " ".join(part.text for part in parts) or '""'
        return _Part(text, total + 1, _followed(ways.sequence([part.ways for part in parts])))

    def _quantified(self) -> _Part:
        part = self._atom()
        repeated = 0
        while match := _QUANTIFIER.match(self._pattern, self._at):
            self._at = match.end()
            repeated += 1
            if repeated > _MAX_DEPTH:
                raise NoGrammar("its repetitions are too deep")
            quantifier, times = match[0], 1
            low, high = _TIMES.get(quantifier, (0, None))
            text = part.text
            if match[1] is not None:
                low = int(match[1])
                high = low if match[2] is None else int(match[3]) if match[3] else None
                if high is not None and high < low:
                    raise NoGrammar("a repetition that ends before it begins")
                times = max(low, high or 0, 1)
                range_ = f"{{{low},{'' if high is None else high}}}"
                quantifier = _SHORT.get(range_, range_)
                if high == 0:
                    text, quantifier = '""', ""
            part = _Part(
                f"({text}){quantifier}" if quantifier else text,
                _bounded(part.size * times + 1),
                _followed(ways.repeated(part.ways, low, high)),
            )
            if self._peek() in ("?", "+"):  # whether it is lazy matters to who searches, not to who writes
                self._at += self._peek() == "?"
        return part

    def _atom(self) -> _Part:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == ".":
            return _Part(r"[^\n\r]", 1, ways.character(2, _ANY_KIND))
        if char == "\\":
            return self._escaped()
        if char in "*+?{^$":
            raise NoGrammar(f"{char} where something to repeat should be")
        return _one(char)

    def _group(self) -> _Part:
        if self._peek() == "?":
            self._at += 1
            named = re.compile(r"P?<[A-Za-z_]\w*>").match(self._pattern, self._at)
            if named:
                self._at = named.end()
            elif self._next() != ":":
                raise NoGrammar("a group that only looks")
        part = self._alternatives()
        if self._next() != ")":
            raise NoGrammar("an unclosed group")
        if len(part.text) < _LONG:
            return _Part(f"({part.text})", part.size, part.ways)
        return _Part(self._named(part.text, part.size), 1, part.ways)

    def _named(self, rule: str, size: int) -> str:
        """The name of a rule; what occurs several times is written once."""
        if rule not in self._rules:
            self._elements = _bounded(self._elements + size)
            self._rules[rule] = f"r{len(self._rules)}"
        return self._rules[rule]

    def _escaped(self) -> _Part:
        char = self._next()
        if char.lower() in _CLASSES:
            text = f"[{'^' if char.isupper() else ''}{_CLASSES[char.lower()]}]"
            return _Part(text, 1, ways.character(6, _KINDS_OF.get(char, _ANY_KIND)))
        return _one(self._character(char))

    def _character(self, char: str) -> str:
        """What an escape stands for; `char` follows the backslash."""
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in "xu":
            braced = self._peek() == "{"
            form = re.compile(
                r"\{([0-9a-fA-F]{1,6})\}" if braced else f"([0-9a-fA-F]{{{2 if char == 'x' else 4}}})"
            )
            match = form.match(self._pattern, self._at)
            code = int(match[1], 16) if match else 0x110000
            if match is None or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise NoGrammar("a character that does not exist")
            self._at = match.end()
            return chr(code)
        if char.isalnum():
            raise NoGrammar(f"\\{char}")
        return char

    def _set(self) -> _Part:
        negated = self._peek() == "^"
        self._at += negated
        inside: list[str] = []
        kinds: frozenset[str] = _ANY_KIND if negated else frozenset()
        while self._peek() != "]" or not inside:
            first, is_class = self._member()
            inside.append(_CLASSES[first] if is_class else _code(first))
            if len(inside) > MAX_MEMBERS:
                raise NoGrammar("a set of too many")
            last = first
            ranged = self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", "")
            if ranged and not is_class:
                self._at += 1
                last, ends_with_class = self._member()
                if ends_with_class:
                    raise NoGrammar("a range that ends with a class")
                inside.append(f"-{_code(last)}")
            kinds |= _KINDS_OF[first] if is_class else ways.kinds_between(first, last)
        self._at += 1
        text = f"[{'^' if negated else ''}{''.join(inside)}]"
        return _Part(text, len(inside), ways.character(len(inside), kinds))

    def _member(self) -> tuple[str, bool]:
        """One character of a set, or the letter of a class, and whether it is that."""
        char = self._next()
        if char == "[" and self._peek() == ":":
            raise NoGrammar("a class by its name")
        if char != "\\":
            return char, False
        char = self._next()
        if char in _CLASSES:
            return char, True
        if char.lower() in _CLASSES:
            raise NoGrammar("a class of what is not, in a set")
        return "\b" if char == "b" else self._character(char), False


def _one(char: str) -> _Part:
    return _Part(f"[{_code(char)}]", 1, ways.character(1, ways.kinds_between(char, char)))


def _code(char: str) -> str:
    return char if char.isascii() and char.isalnum() else f"\\U{ord(char):08X}"


def _bounded(elements: int) -> int:
    if elements > MAX_ELEMENTS:
        raise NoGrammar("it is too large")
    return elements


def _followed(found: Ways) -> Ways:
    if found.most > MAX_WAYS:
        raise NoGrammar("it can be read in too many ways")
    return found
