"""Typed reading of JSON, as the derived deserialisers of TGI's structs do it: order, nulls, words.

A reader is a function from a cursor to a value. Numbers are rounded to f32 as in TGI, so its limits meet the
same values. Does not know TGI's structs: they are in `shapes`.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from cpu_engine.tgi.json_reader import JsonReader
from cpu_engine.tgi.refused import Refused

_F32_MAX = 3.4028234663852886e38
_REQUIRED = object()

T = TypeVar("T")
Read = Callable[[JsonReader], T]


def read_body(body: bytes, read: Read[T]) -> T:
    """Read a whole body. What follows the value is ignored, as by axum.

    Raises:
        BodyError: 400, it is not JSON; 422, it has the wrong shape.
    """
    try:
        return read(JsonReader(body))
    except Refused as refused:
        raise refused.told(body) from None


def string(json: JsonReader) -> str:
    """A JSON string."""
    if json.peek() != b'"':
        raise wrong_type(json, "a string")
    return json.string()


def boolean(json: JsonReader) -> bool:
    """true or false."""
    byte = json.peek()
    if byte not in (b"t", b"f"):
        raise wrong_type(json, "a boolean")
    json.word(b"true" if byte == b"t" else b"false")
    return byte == b"t"


def f32(json: JsonReader) -> float:
    """A number, rounded to single precision."""
    value = _number(json, "f32")
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(_F32_MAX, value)
    return rounded


def integer(name: str, low: int, high: int) -> Read[int]:
    """A reader of Rust's integer type `name`."""

    def read(json: JsonReader) -> int:
        value = _number(json, name)
        if isinstance(value, float):
            raise json.data_error(f"invalid type: {_described(value)}, expected {name}")
        if not low <= value <= high:
            raise json.data_error(f"invalid value: integer `{value}`, expected {name}")
        return value

    return read


i32 = integer("i32", -(2**31), 2**31 - 1)
u32 = integer("u32", 0, 2**32 - 1)
u64 = integer("u64", 0, 2**64 - 1)
usize = integer("usize", 0, 2**64 - 1)


def nullable(read: Read[T]) -> Read[T | None]:
    """An Option: null is None."""

    def read_option(json: JsonReader) -> T | None:
        if json.peek() != b"n":
            return read(json)
        json.word(b"null")
        return None

    return read_option


def array(read: Read[T]) -> Read[tuple[T, ...]]:
    """A list of one type."""

    def read_list(json: JsonReader) -> tuple[T, ...]:
        if json.peek() != b"[":
            raise wrong_type(json, "a sequence")
        items: list[T] = []
        return json.items(lambda _: items.append(read(json)), lambda: tuple(items))

    return read_list


def anything(json: JsonReader) -> Any:
    """A serde_json::Value: any JSON, 127 levels deep at most."""
    byte = json.peek()
    if byte == b"{":
        members: dict[str, Any] = {}

        def member(key: str) -> None:
            members[key] = json.value_of(key, anything)

        return json.members(member, lambda: members)
    if byte == b"[":
        return list(array(anything)(json))
    if byte == b'"':
        return json.string()
    if byte == b"-" or byte.isdigit():
        return json.number()
    for letter, word, value in ((b"n", b"null", None), (b"t", b"true", True), (b"f", b"false", False)):
        if byte == letter:
            json.word(word)
            return value
    raise json.syntax_error("expected value" if byte else "EOF while parsing a value")


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a struct. `default` stands for one that is absent; without it the member is required."""

    name: str
    read: Read[Any]
    default: Any = _REQUIRED
    aliases: tuple[str, ...] = ()


def optional(name: str, read: Read[Any], *aliases: str) -> Field:
    """A member that may be absent or null."""
    return Field(name, nullable(read), None, aliases)


def fields(name: str, *members: Field, is_map: bool = False) -> Read[dict[str, Any]]:
    """A struct by its members; unknown keys are ignored. All but an `is_map` may be written as a list too."""
    by_key = {key: member for member in members for key in (member.name, *member.aliases)}

    def read_object(json: JsonReader) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def each(key: str) -> None:
            member = by_key.get(key)
            if member is None:
                json.value_of(key, JsonReader.ignore)
                return
            if member.name in found:
                raise json.unplaced_error(f"duplicate field `{member.name}`")
            found[member.name] = json.value_of(key, member.read)

        def end() -> dict[str, Any]:
            for member in members:
                if member.name not in found and member.default is _REQUIRED:
                    raise json.unplaced_error(f"missing field `{member.name}`")
            return {member.name: found.get(member.name, member.default) for member in members}

        return json.members(each, end)

    def read_list(json: JsonReader) -> dict[str, Any]:
        values: list[Any] = []

        def each(index: int) -> None:
            if index >= len(members):
                raise json.syntax_error("trailing characters")
            values.append(members[index].read(json))

        def end() -> dict[str, Any]:
            if len(values) < len(members) and members[len(values)].default in (_REQUIRED, None):
                count = f"{len(members)} element{'s' * (len(members) != 1)}"
                raise json.unplaced_error(
                    f"invalid length {len(values)}, expected struct {name} with {count}"
                )
            rest = {member.name: member.default for member in members[len(values) :]}
            return {member.name: value for member, value in zip(members, values, strict=False)} | rest

        return json.items(each, end)

    def read(json: JsonReader) -> dict[str, Any]:
        byte = json.peek()
        if byte == b"{":
            return read_object(json)
        if byte == b"[" and not is_map:
            return read_list(json)
        raise wrong_type(json, f"struct {name}")

    return read


def untagged(name: str, *variants: Read[Any]) -> Read[Any]:
    """The first of several shapes that fits."""

    def read(json: JsonReader) -> Any:
        json.peek()
        start = json.at
        anything(json)
        for variant in variants:
            try:
                return variant(JsonReader(json.data[start : json.at]))
            except Refused:
                continue
        raise json.unplaced_error(f"data did not match any variant of untagged enum {name}")

    return read


def wrong_type(json: JsonReader, expected: str) -> Refused:
    """`invalid type: string "x", expected f32`, placed after the value unless it is a list or an object."""
    byte = json.peek()
    found = {b"{": "map", b"[": "sequence"}.get(byte) or _described(anything(json))
    return json.data_error(f"invalid type: {found}, expected {expected}")


def _number(json: JsonReader, expected: str) -> int | float:
    byte = json.peek()
    if byte != b"-" and not byte.isdigit():
        raise wrong_type(json, expected)
    return json.number()


def _described(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        text = f"{Decimal(repr(value)):f}"
        return f"floating point `{text if '.' in text else text + '.0'}`"
    return f"string {quoted(str(value))}"


def quoted(text: str) -> str:
    """A string as Rust's Debug writes it."""
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
    return '"{}"'.format(
        "".join(known.get(char) or (char if char.isprintable() else f"\\u{{{ord(char):x}}}") for char in text)
    )
