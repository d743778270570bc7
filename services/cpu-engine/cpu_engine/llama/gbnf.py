"""Regular expressions as llama.cpp's grammars (GBNF). Pure, no I/O.

What a grammar cannot say (looking ahead, back-references, words' bounds) is refused, and so is what llama.cpp
would unfold into more than it can walk through between two tokens.
"""

import re

from cpu_engine.engine import MAX_PATTERN

MAX_ELEMENTS = 40_000
MAX_BRANCHES = 500
"""Of one choice: llama.cpp tries each of them with every token that it knows."""
MAX_MEMBERS = 2_000
"""Of one set, for the same reason; a range is two."""
_MAX_DEPTH = 150
_LONG = 24
_CLASSES = {"d": "0-9", "w": "a-zA-Z0-9_", "s": r" \t\n\r\x0B\x0C"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
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


class _Parser:
    """A cursor over an expression. Methods give the grammar's text and how many elements it unfolds to."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern.removeprefix("^")
        if self._pattern.endswith("$") and not self._pattern.endswith("\\$"):
            self._pattern = self._pattern[:-1]
        self._at = 0
        self._rules: dict[str, str] = {}
        self._elements = 0
        self._depth = 0

    def whole(self) -> str:
        text, _ = self._alternatives()
        if self._at < len(self._pattern):
            raise NoGrammar("an unopened group")
        return "\n".join([text, *(f"{name} ::= {rule}" for rule, name in self._rules.items())])

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        if not char:
            raise NoGrammar("it ends too early")
        self._at += 1
        return char

    def _alternatives(self) -> tuple[str, int]:
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
        return " | ".join(text for text, _ in branches), _bounded(sum(size for _, size in branches))

    def _sequence(self) -> tuple[str, int]:
        parts: list[str] = []
        total = 0
        while self._peek() not in ("", "|", ")"):
            text, size = self._quantified()
            parts.append(text)
            total = _bounded(total + size)
        return " ".join(parts) or '""', total + 1

    def _quantified(self) -> tuple[str, int]:
        text, size = self._atom()
        repeated = 0
        while match := _QUANTIFIER.match(self._pattern, self._at):
            self._at = match.end()
            repeated += 1
            if repeated > _MAX_DEPTH:
                raise NoGrammar("its repetitions are too deep")
            quantifier, times = match[0], 1
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
            text, size = f"({text}){quantifier}" if quantifier else text, _bounded(size * times + 1)
            if self._peek() in ("?", "+"):  # whether it is lazy matters to who searches, not to who writes
                self._at += self._peek() == "?"
        return text, size

    def _atom(self) -> tuple[str, int]:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == ".":
            return r"[^\n\r]", 1
        if char == "\\":
            return self._escaped(), 1
        if char in "*+?{^$":
            raise NoGrammar(f"{char} where something to repeat should be")
        return _set_of(char), 1

    def _group(self) -> tuple[str, int]:
        if self._peek() == "?":
            self._at += 1
            named = re.compile(r"P?<[A-Za-z_]\w*>").match(self._pattern, self._at)
            if named:
                self._at = named.end()
            elif self._next() != ":":
                raise NoGrammar("a group that only looks")
        text, size = self._alternatives()
        if self._next() != ")":
            raise NoGrammar("an unclosed group")
        return (f"({text})", size) if len(text) < _LONG else (self._named(text, size), 1)

    def _named(self, rule: str, size: int) -> str:
        """The name of a rule; what occurs several times is written once."""
        if rule not in self._rules:
            self._elements = _bounded(self._elements + size)
            self._rules[rule] = f"r{len(self._rules)}"
        return self._rules[rule]

    def _escaped(self) -> str:
        char = self._next()
        if char.lower() in _CLASSES:
            return f"[{'^' if char.isupper() else ''}{_CLASSES[char.lower()]}]"
        return _set_of(self._character(char))

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

    def _set(self) -> tuple[str, int]:
        negated = self._peek() == "^"
        self._at += negated
        inside: list[str] = []
        while self._peek() != "]" or not inside:
            text, is_class = self._member()
            inside.append(text)
            if len(inside) > MAX_MEMBERS:
                raise NoGrammar("a set of too many")
            ranged = self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", "")
            if ranged and not is_class:
                self._at += 1
                end, is_class = self._member()
                if is_class:
                    raise NoGrammar("a range that ends with a class")
                inside.append(f"-{end}")
        self._at += 1
        return f"[{'^' if negated else ''}{''.join(inside)}]", len(inside)

    def _member(self) -> tuple[str, bool]:
        """One character or class of a set, and whether it is a class."""
        char = self._next()
        if char == "[" and self._peek() == ":":
            raise NoGrammar("a class by its name")
        if char != "\\":
            return _code(char), False
        char = self._next()
        if char in _CLASSES:
            return _CLASSES[char], True
        if char.lower() in _CLASSES:
            raise NoGrammar("a class of what is not, in a set")
        return _code("\b" if char == "b" else self._character(char)), False


def _set_of(char: str) -> str:
    return f"[{_code(char)}]"


def _code(char: str) -> str:
    return char if char.isascii() and char.isalnum() else f"\\U{ord(char):08X}"


def _bounded(elements: int) -> int:
    if elements > MAX_ELEMENTS:
        raise NoGrammar("it is too large")
    return elements
