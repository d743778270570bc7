"""A GGUF file in two parts, as llama.cpp's own `gguf-split` writes them."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY, _U16, _I32 = 8, 9, 2, 5
_ALIGNMENT = 32


class _Walk:
    """A place in the file's header that moves on."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 24

    def number(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def text(self) -> None:
        length = self.number(8)
        self.at += length

    def value(self, kind: int) -> None:
        if kind == _STRING:
            self.text()
        elif kind == _ARRAY:
            item, count = self.number(4), self.number(8)
            for _ in range(count):
                self.value(item)
        else:
            self.at += _SIZES[kind]


def split(whole: Path, folder: Path, base: str) -> list[str]:
    """Write `<base>-0000n-of-00002.gguf` into the folder, half of the tensors each; their names."""
    data = whole.read_bytes()
    _, version, tensors, entries = struct.unpack_from("<4sIQQ", data)
    walk = _Walk(data)
    for _ in range(entries):
        walk.text()
        walk.value(walk.number(4))
    metadata, rows = data[24 : walk.at], []
    for _ in range(tensors):
        start = walk.at
        walk.text()
        dimensions = walk.number(4)
        walk.at += 8 * dimensions + 4
        rows.append((data[start : walk.at], walk.number(8)))
    begin = -(-walk.at // _ALIGNMENT) * _ALIGNMENT
    ends = [*(offset for _, offset in rows[1:]), len(data) - begin]
    assert all(before < after for before, after in pairwise(offset for _, offset in rows))
    stored = [(row, data[begin + at : begin + end]) for (row, at), end in zip(rows, ends, strict=True)]
    names = [f"{base}-0000{number}-of-00002.gguf" for number in (1, 2)]
    halves = (stored[: tensors // 2], stored[tensors // 2 :])
    for number, (name, half) in enumerate(zip(names, halves, strict=True)):
        numbers = [
            ("split.no", _U16, number),
            ("split.count", _U16, 2),
            ("split.tensors.count", _I32, tensors),
        ]
        first = (b"", 0) if number else (metadata, entries)
        (folder / name).write_bytes(_part(version, first, numbers, half))
    return names


def _part(
    version: int,
    first: tuple[bytes, int],
    numbers: list[tuple[str, int, int]],
    tensors: list[tuple[bytes, bytes]],
) -> bytes:
    metadata, entries = first
    head = struct.pack("<4sIQQ", b"GGUF", version, len(tensors), entries + len(numbers)) + metadata
    for key, kind, number in numbers:
        head += struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", kind)
        head += number.to_bytes(_SIZES[kind], "little")
    body = b""
    for row, stored in tensors:
        head += row + struct.pack("<Q", len(body))
        body += stored + bytes(-len(stored) % _ALIGNMENT)
    return head + bytes(-len(head) % _ALIGNMENT) + body
