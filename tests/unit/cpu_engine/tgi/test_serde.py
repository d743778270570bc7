"""JSON as serde_json reads it: what it takes, and where and how it refuses the rest."""

from __future__ import annotations

import pytest

from cpu_engine.tgi.errors import BodyError
from cpu_engine.tgi.serde import (
    Field,
    Read,
    anything,
    array,
    f32,
    fields,
    optional,
    read_body,
    string,
    u32,
    u64,
)

SHAPE = "Failed to deserialize the JSON body into the target type: "
SYNTAX = "Failed to parse the request body as JSON: "
READ = fields(
    "Thing",
    Field("s", string),
    optional("n", u32, "number"),
    Field("l", array(string), ()),
    optional("v", anything),
)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, SYNTAX + "EOF while parsing a value at line 1 column 0"),
        ("{", 400, SYNTAX + "EOF while parsing an object at line 1 column 1"),
        ('{"s": "a', 400, SYNTAX + "s: EOF while parsing a string at line 1 column 8"),
        ('{"s"', 400, SYNTAX + "EOF while parsing an object at line 1 column 4"),
        ('{"s" 1}', 400, SYNTAX + "expected `:` at line 1 column 6"),
        ('{"s":"a" "n"', 400, SYNTAX + "expected `,` or `}` at line 1 column 10"),
        ('{"s":"a",}', 400, SYNTAX + "trailing comma at line 1 column 10"),
        ("{1:2}", 400, SYNTAX + "key must be a string at line 1 column 2"),
        ('{"l":["a" "b"]}', 400, SYNTAX + "l: expected `,` or `]` at line 1 column 11"),
        ('{"l":["a",]}', 400, SYNTAX + "l: trailing comma at line 1 column 11"),
        ('{"n":NaN}', 400, SYNTAX + "n: expected value at line 1 column 6"),
        ('{"n":nul}', 400, SYNTAX + "n: expected ident at line 1 column 9"),
        ('{"n":01}', 400, SYNTAX + "n: invalid number at line 1 column 7"),
        ('{"n":-}', 400, SYNTAX + "n: invalid number at line 1 column 7"),
        ('{"n":1.}', 400, SYNTAX + "n: invalid number at line 1 column 8"),
        ('{"v":1e999}', 400, SYNTAX + "v: number out of range at line 1 column 10"),
        (
            '{"s":"\n"}',
            400,
            SYNTAX + "s: control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
        ('{"s":"\\x"}', 400, SYNTAX + "s: invalid escape at line 1 column 8"),
        ('{"s":"\\ud800"}', 400, SYNTAX + "s: unexpected end of hex escape at line 1 column 13"),
        ('{"s":"\\udc00"}', 400, SYNTAX + "s: lone leading surrogate in hex escape at line 1 column 12"),
        ('{"v":' + "[" * 130 + "]" * 130 + "}", 400, None),
        ('{"x":[1,{"y":}]}', 400, SYNTAX + "x: expected value at line 1 column 14"),
        ("{}", 422, SHAPE + "missing field `s` at line 1 column 2"),
        ("[]", 422, SHAPE + "invalid length 0, expected struct Thing with 4 elements at line 1 column 2"),
        ('"x"', 422, SHAPE + 'invalid type: string "x", expected struct Thing at line 1 column 3'),
        ('{"s":"a","s":"b"}', 422, SHAPE + "duplicate field `s` at line 1 column 12"),
        ('{"n":1,"number":2}', 422, SHAPE + "duplicate field `n` at line 1 column 15"),
        ('{"s":\n 5}', 422, SHAPE + "s: invalid type: integer `5`, expected a string at line 2 column 2"),
        ('{"s":{"a":1}}', 422, SHAPE + "s: invalid type: map, expected a string at line 1 column 5"),
        ('{"l":["a",null]}', 422, SHAPE + "l[1]: invalid type: null, expected a string at line 1 column 14"),
        (
            '{"n":1e3}',
            422,
            SHAPE + "n: invalid type: floating point `1000.0`, expected u32 at line 1 column 8",
        ),
        ('{"n":-1}', 422, SHAPE + "n: invalid value: integer `-1`, expected u32 at line 1 column 7"),
        (
            '{"n":"a\\"\\u0007"}',
            422,
            SHAPE + 'n: invalid type: string "a\\"\\u{7}", expected u32 at line 1 column 16',
        ),
        (
            '{"n":1.5, "s"',
            422,
            SHAPE + "n: invalid type: floating point `1.5`, expected u32 at line 1 column 8",
        ),
    ],
)
def test_what_is_refused_and_where(body: str, status: int, message: str | None) -> None:
    with pytest.raises(BodyError) as caught:
        read_body(body.encode(), READ)
    assert caught.value.status == status
    assert message is None or str(caught.value) == message


def test_invalid_utf8_is_refused_where_it_is_read() -> None:
    with pytest.raises(BodyError, match="s: invalid unicode code point at line 1 column 9"):
        read_body(b'{"s":"\xff\xfe"}', READ)
    assert read_body(b'{"x":"\xff","s":"a"}', READ)["s"] == "a"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"s":"\\ud83e\\udd9c\\n\\u0000"}', {"s": "🦜\n\0", "n": None, "l": (), "v": None}),
        ('["a", 1, ["b"], {"c": null}]', {"s": "a", "n": 1, "l": ("b",), "v": {"c": None}}),
        ('{"number": 7, "s": "", "x": {"y": [1, "\\"]"]}} and more', {"s": "", "n": 7, "l": (), "v": None}),
        ('{"s": "a", "x": ' + "[" * 5000 + "]" * 5000 + "}", {"s": "a", "n": None, "l": (), "v": None}),
        (
            '{"s": "a", "v": [true, -0, 1.5, 18446744073709551616]}',
            {"s": "a", "n": None, "l": (), "v": [True, 0, 1.5, 2.0**64]},
        ),
    ],
)
def test_what_is_taken(body: str, found: object) -> None:
    assert read_body(body.encode(), READ) == found


@pytest.mark.parametrize(
    ("read", "body", "value"),
    [
        (f32, "0.1", 0.10000000149011612),
        (f32, "1e300", 3.4028234663852886e38),
        (f32, "1e-50", 0.0),
        (u64, "18446744073709551615", 2**64 - 1),
    ],
)
def test_numbers_are_rusts(read: Read[float], body: str, value: float) -> None:
    assert read_body(body.encode(), read) == value
