"""The syntax of a .env file, as Compose reads it: which statements a text holds, and where. Pure.

Written after github.com/compose-spec/compose-go, dotenv/parser.go, and held to Compose itself by a test.
python-dotenv reads another language: it leaves ``$X``, ``$$`` and ``${X:?…}`` alone, interpolates in single
quotes, and takes a tab before # for the beginning of a comment.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

BYTE_ORDER_MARK = "\ufeff"
# Go's unicode.IsSpace, and the shorter list that the parser skips within a line.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" + (
    "\u2028\u2029\u202f\u205f\u3000"
)
_BLANK = "\t\v\f\r \x85\xa0"
_EXPORT = re.compile(r"export[\t\n\f\r ]")
_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

Quote = Literal["", "'", '"']


class DotenvError(ValueError):
    """A text that Compose refuses, and the line on which it does."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Statement:
    """``KEY=value`` in a text, from ``start`` to ``end`` with a comment behind it, without the line's end.

    ``value``: unquoted, with escapes resolved, variables not filled in (which they are, unless it stands in
    single quotes); None for a bare ``KEY``, which takes the shell's. ``line`` counts from 1. ``key`` is ""
    for a value without a name, which Compose reads and nobody can use.
    """

    key: str
    value: str | None
    quote: Quote
    line: int
    start: int
    end: int


def statements(text: str) -> Iterator[Statement]:
    """Every statement of a text. Raises DotenvError."""
    position = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    while True:
        position = _next_statement(text, position)
        if position == len(text):
            return
        start, line = position, text.count("\n", 0, position) + 1
        key, position, bare = _key(text, position, line)
        if bare:
            yield Statement(key, None, "", line, start, start + len(text[start:position].rstrip(_SPACE)))
        else:
            value, quote, position, end = _value(text, position, line)
            yield Statement(key, value, quote, line, start, end)


def _next_statement(text: str, position: int) -> int:
    """Where the next statement begins: behind blanks, empty lines and comments."""
    while position < len(text):
        if text[position] == "#":
            position = _line_end(text, position)
        elif text[position] in _SPACE:
            position += 1
        else:
            break
    return position


def _key(text: str, position: int, line: int) -> tuple[str, int, bool]:
    """A statement's key, where its value begins, and whether it has none. "" at the text's end."""
    if _EXPORT.match(text, position):
        position = _skip(text, position + len("export"))
        if position == len(text):
            raise DotenvError(line, "export without a name")
    for index in range(position, len(text)):
        char = text[index]
        if char in "=:\n":
            key = text[position:index].rstrip(_SPACE)
            if " " in key:
                raise DotenvError(line, f"{key!r} is no name: it contains a space")
            return key, _skip(text, index + 1), char == "\n"
        if not (char in _BLANK or char in "_.-[]" or unicodedata.category(char)[0] in "LN"):
            raise DotenvError(line, f"{char!r} cannot stand in a setting's name")
    return "", position, False


def _value(text: str, position: int, line: int) -> tuple[str, Quote, int, int]:
    """A value, its quote, where reading goes on, and where the statement ends."""
    line_end = _line_end(text, position)
    opening = text[position : position + 1]
    if opening not in ("'", '"') or not opening:
        value = text[position:line_end].partition(" #")[0].rstrip(_SPACE)
        return value, "", min(line_end + 1, len(text)), len(text[:line_end].rstrip("\r"))
    chars: list[str] = []
    index = position + 1
    while index < len(text) and text[index] != opening:
        if text[index] == "\\":
            pair = text[index : index + 2]
            chars.append(opening if pair[1:] == opening else pair)
            index += 2
        else:
            chars.append(text[index])
            index += 1
    if index >= len(text):
        raise DotenvError(line, f"a quote {opening} that does not end")
    value = "".join(chars)
    rest = text[index + 1 : _line_end(text, index)].rstrip("\r")
    is_comment = rest.strip(_BLANK)[:1] in ("", "#")
    end = index + 1 + (len(rest) if is_comment else 0)
    if opening == "'":
        return value, "'", index + 1, end
    return _ESCAPE.sub(_unescaped, value), '"', index + 1, end


def _unescaped(match: re.Match[str]) -> str:
    code = match[0][1:]
    if code == "$":
        return "$$"  # what interpolation takes for a dollar sign
    if code in ('"', "\\"):
        return code
    if code.startswith("0"):
        octal = code[1:]
        known = re.fullmatch(r"[0-3][0-7]{2}", octal)
        return chr(int(octal, 8)) if known else f"\\{octal}"
    return _ESCAPED.get(code, match[0])


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BLANK:
        position += 1
    return position


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
