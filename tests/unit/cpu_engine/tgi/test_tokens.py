"""TGI's token objects with their offsets."""

from __future__ import annotations

from cpu_engine.engine import Piece
from cpu_engine.tgi.tokens import simple_tokens

PARROT = "🦜".encode()


def test_offsets_count_bytes() -> None:
    pieces = [Piece(1, "é".encode()), Piece(2, PARROT[:2]), Piece(3, PARROT[2:]), Piece(4, b"!")]
    assert simple_tokens("é🦜!", pieces) == [
        {"id": 1, "text": "é", "start": 0, "stop": 2},
        {"id": 2, "text": "🦜", "start": 2, "stop": 6},
        {"id": 3, "text": "🦜", "start": 2, "stop": 6},
        {"id": 4, "text": "!", "start": 6, "stop": 7},
    ]


def test_an_added_token_has_no_text_and_a_rewritten_text_no_offsets() -> None:
    added = simple_tokens("a", [Piece(1, b"<s>"), Piece(2, b"a")])
    assert added == [
        {"id": 1, "text": "", "start": 0, "stop": 0},
        {"id": 2, "text": "a", "start": 0, "stop": 1},
    ]
    rewritten = simple_tokens("A B", [Piece(1, b"a"), Piece(2, b"b")])
    assert [(t["text"], t["start"], t["stop"]) for t in rewritten] == [("", 0, 0), ("", 0, 0)]
