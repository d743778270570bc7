"""Reads JSON as TGI's router does (serde_json, and the path that axum puts before its errors).

Owns the cursor over a body and the place and words of every syntax error. What a value must be is `serde`'s.
A client that reads the line and column of an error finds them where TGI would have put them.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from cpu_engine.tgi.refused import Refused

MAX_DEPTH = 127

_SPACE = re.compile(rb"[ \n\t\r]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_ESCAPES = {
    **{b"\\": "\\", b'"': '"', b"/": "/"},
    **{b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r", b"t": "\t"},
}
_EOF_VALUE, _EOF_STRING = "EOF while parsing a value", "EOF while parsing a string"
_EOF_OBJECT, _EOF_LIST = "EOF while parsing an object", "EOF while parsing a list"
_ENDS = {b"}": (_EOF_OBJECT, "expected `,` or `}`"), b"]": (_EOF_LIST, "expected `,` or `]`")}
_WORDS = {b"n": b"null", b"t": b"true", b"f": b"false"}

T = TypeVar("T")


class JsonReader:
    """A cursor over a body.

    Attributes:
        data: the body.
        at: bytes read so far.
        path: where the cursor is, in serde_path_to_error's spelling.
    """

    def __init__(self, data: bytes, path: str = "", depth: int = 0) -> None:
        self.data = data
        self.at = 0
        self.path = path
        self.depth = depth
        self._fresh = False  # nothing of the innermost object or list has been read

    def syntax_error(self, reason: str, peeked: bool = True) -> Refused:
        """An error at the byte that comes next, or (not `peeked`) at the last one read."""
        at = min(len(self.data), self.at + 1) if peeked else self.at
        return Refused(reason, self.path, at, is_syntax=True)

    def data_error(self, reason: str) -> Refused:
        """JSON, but not what it should be; the last byte read is its place."""
        return Refused(reason, self.path, self.at, is_syntax=False)

    def unplaced_error(self, reason: str) -> Refused:
        """The same where serde_json leaves the place to the enclosing value."""
        return Refused(reason, self.path, None, is_syntax=False)

    def peek(self) -> bytes:
        """The next byte that is not blank; empty at the end."""
        match = _SPACE.match(self.data, self.at)
        self.at = match.end() if match else self.at
        return self.data[self.at : self.at + 1]

    def string(self, decoded: bool = True) -> str:
        """A string, whose opening quote comes next. One that is not `decoded` may be invalid UTF-8."""
        self.at += 1
        parts: list[bytes] = []
        while True:
            plain = _PLAIN.match(self.data, self.at)
            if plain:
                parts.append(plain[0])
                self.at = plain.end()
            byte = self.data[self.at : self.at + 1]
            if not byte:
                raise self.syntax_error(_EOF_STRING, peeked=False)
            self.at += 1
            if byte == b'"':
                break
            if byte != b"\\":
                reason = "control character (\\u0000-\\u001F) found while parsing a string"
                raise self.syntax_error(reason, peeked=False)
            parts.append(self._escape())
        if not decoded:
            return ""
        try:
            return b"".join(parts).decode()
        except UnicodeDecodeError:
            raise self.syntax_error("invalid unicode code point", peeked=False) from None

    def _escape(self) -> bytes:
        byte = self.data[self.at : self.at + 1]
        if not byte:
            raise self.syntax_error(_EOF_STRING, peeked=False)
        self.at += 1
        if byte in _ESCAPES:
            return _ESCAPES[byte].encode()
        if byte != b"u":
            raise self.syntax_error("invalid escape", peeked=False)
        code = self._hex()
        if 0xDC00 <= code <= 0xDFFF:
            raise self.syntax_error("lone leading surrogate in hex escape", peeked=False)
        if 0xD800 <= code <= 0xDBFF:
            code = self._pair(code)
        return chr(code).encode()

    def _pair(self, lead: int) -> int:
        for expected in (b"\\", b"u"):
            byte = self.data[self.at : self.at + 1]
            if not byte:
                raise self.syntax_error(_EOF_STRING, peeked=False)
            self.at += 1
            if byte != expected:
                raise self.syntax_error("unexpected end of hex escape", peeked=False)
        trail = self._hex()
        if not 0xDC00 <= trail <= 0xDFFF:
            raise self.syntax_error("lone leading surrogate in hex escape", peeked=False)
        return 0x10000 + ((lead - 0xD800) << 10) + trail - 0xDC00

    def _hex(self) -> int:
        digits = self.data[self.at : self.at + 4]
        self.at += len(digits)
        if len(digits) < 4:
            raise self.syntax_error(_EOF_STRING, peeked=False)
        if not _HEX.fullmatch(digits):
            raise self.syntax_error("invalid escape", peeked=False)
        return int(digits, 16)

    def number(self) -> int | float:
        """A number: an integer where it fits into 64 bits, as in serde_json."""
        match = _NUMBER.match(self.data, self.at)
        if match is None:  # a minus without a digit
            self.at += 1
            if self.at >= len(self.data):
                raise self.syntax_error(_EOF_VALUE)
            self.at += 1
            raise self.syntax_error("invalid number", peeked=False)
        start, self.at = self.at, match.end()
        following = self.data[self.at : self.at + 1]
        if following in (b".", b"e", b"E") and not match[2] and not (following == b"." and match[1]):
            self._broken_number(following)
        if following.isdigit() and match[0] in (b"0", b"-0"):
            raise self.syntax_error("invalid number")
        text = self.data[start : self.at].decode()
        if match[1] is None and match[2] is None:
            value = int(text) if len(text) < 21 else 2**64
            if (0 <= value < 2**64 and text != "-0") or -(2**63) <= value < 0:
                return value
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise self.syntax_error("number out of range", peeked=False)
        return number

    def _broken_number(self, following: bytes) -> None:
        """A point or an exponent that no digit follows."""
        self.at += 1
        if following != b"." and self.data[self.at : self.at + 1] in (b"+", b"-"):
            self.at += 1
        if self.at >= len(self.data):
            raise self.syntax_error(_EOF_VALUE)
        raise self.syntax_error("invalid number", peeked=following == b".")

    def word(self, word: bytes) -> None:
        """One of null, true and false, whose first letter has been seen."""
        self.at += 1
        for letter in word[1:]:
            if self.at >= len(self.data):
                raise self.syntax_error(_EOF_VALUE, peeked=False)
            self.at += 1
            if self.data[self.at - 1] != letter:
                raise self.syntax_error("expected ident", peeked=False)

    def members(self, each: Callable[[str], None], end: Callable[[], T]) -> T:
        """An object whose brace comes next: `each` reads a member by its key, `end` makes the whole."""
        self._descend()
        try:
            while self._another(b"}", _EOF_OBJECT, "expected `,` or `}`"):
                byte = self.peek()
                if byte != b'"':
                    reason = "trailing comma" if byte == b"}" else "key must be a string"
                    raise self.syntax_error(reason if byte else _EOF_VALUE)
                each(self.string())
            whole = end()
        except Refused as refused:
            raise self._placed(refused, b"}") from None
        self._ascend()
        return whole

    def value_of(self, key: str, read: Callable[["JsonReader"], T]) -> T:
        """What `key`, which was just read, stands for."""
        byte = self.peek()
        if byte != b":":
            raise self.syntax_error("expected `:`" if byte else _EOF_OBJECT)
        self.at += 1
        outer, self.path = self.path, f"{self.path}.{key}" if self.path else key
        value = read(self)
        self.path = outer
        return value

    def items(self, each: Callable[[int], None], end: Callable[[], T]) -> T:
        """A list whose bracket comes next: `each` reads a member by its number, `end` makes the whole."""
        self._descend()
        outer, index = self.path, 0
        try:
            while self._another(b"]", _EOF_LIST, "expected `,` or `]`"):
                if self.peek() == b"]":
                    raise self.syntax_error("trailing comma")
                self.path = f"{outer}[{index}]"
                each(index)
                self.path = outer
                index += 1
            whole = end()
        except Refused as refused:
            raise self._placed(refused, b"]") from None
        self._ascend()
        return whole

    def ignore(self) -> None:
        """Any value, however deep."""
        open_ends: list[bytes] = []
        while True:
            byte = self.peek()
            if byte in (b"{", b"["):
                self.at += 1
                open_ends.append(b"}" if byte == b"{" else b"]")
                self._fresh = True
            else:
                self._ignore_scalar(byte)
            while open_ends and not self._another(open_ends[-1], *_ENDS[open_ends[-1]]):
                open_ends.pop()
                self.at += 1
                self._fresh = False
            if not open_ends:
                return
            if open_ends[-1] == b"}":
                self._ignore_key()

    def _ignore_scalar(self, byte: bytes) -> None:
        if byte == b'"':
            self.string(decoded=False)
        elif byte == b"-" or byte.isdigit():
            self.number()
        elif byte in _WORDS:
            self.word(_WORDS[byte])
        else:
            raise self.syntax_error("expected value" if byte else _EOF_VALUE)

    def _ignore_key(self) -> None:
        byte = self.peek()
        if byte != b'"':
            reason = "trailing comma" if byte == b"}" else "key must be a string"
            raise self.syntax_error(reason if byte else _EOF_OBJECT)
        self.string(decoded=False)
        byte = self.peek()
        if byte != b":":
            raise self.syntax_error("expected `:`" if byte else _EOF_OBJECT)
        self.at += 1

    def _descend(self) -> None:
        if self.depth >= MAX_DEPTH:
            raise self.syntax_error("recursion limit exceeded")
        self.depth += 1
        self.at += 1
        self._fresh = True

    def _ascend(self) -> None:
        self.depth -= 1
        self.at += 1
        self._fresh = False

    def _another(self, closing: bytes, at_end: str, otherwise: str) -> bool:
        """Whether another member follows, its comma read; the closing byte is left."""
        fresh, self._fresh = self._fresh, False
        byte = self.peek()
        if byte == closing:
            return False
        if not byte:
            raise self.syntax_error(at_end)
        if fresh:
            return True
        if byte != b",":
            raise self.syntax_error(otherwise)
        self.at += 1
        if not self.peek():
            raise self.syntax_error(_EOF_VALUE)
        return True

    def _placed(self, refused: Refused, closing: bytes) -> Refused:
        """serde_json looks for the closing byte before it says where the error was."""
        if refused.at is None:
            byte = self.peek()
            self.at += byte == closing or (byte == b"," and closing == b"]")
            refused.at = self.at
        return refused
