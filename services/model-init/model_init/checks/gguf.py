"""Is this a whole GGUF that llama.cpp reads? Owns the header: counts, metadata's form, and the tensor table.

The tensors' bytes are covered by the digests and are not read. Layout and block sizes: the format's
description and ggml's type table.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

_FIXED_HEADER = struct.Struct("<4sIQQ")
_VERSIONS = (2, 3)
# A metadata entry takes at least 8 (key length) + 1 (key) + 4 (type) + 1 (value) bytes, a tensor more.
_MIN_ENTRY_BYTES = 14
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
# which of how many files this is, from 0 on, and the tensors in all of them together
_PART, _PARTS, _PARTS_TENSORS = "split.no", "split.count", "split.tensors.count"
_MAX_STRING_BYTES = 16 * 1024 * 1024
# elements and bytes of a block, by ggml type
_BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},
    **{
        16: (256, 66),
        17: (256, 74),
        18: (256, 98),
        19: (256, 50),
        20: (32, 18),
        21: (256, 110),
        22: (256, 82),
    },
    **{23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2)},
    **{34: (256, 54), 35: (256, 66), 39: (32, 17)},
}


class GgufError(Exception):
    """Why a file is no GGUF, as `expected …, found …`."""


def check_file(path: Path) -> dict[str, Any]:
    """Check magic, version, metadata and that every tensor lies inside the file, apart from all others.

    Returns:
        The metadata's numbers and strings by key, without arrays.

    Raises:
        GgufError: the first rule that the file breaks.
    """
    return _read(path, may_be_empty=False)[0]


def check_model(files: Mapping[str, Path]) -> dict[str, Any]:
    """Check a model in one file, or in all of its parts, in their order.

    Returns:
        The first file's metadata, as `check_file`.

    Raises:
        GgufError: the first rule that a file breaks, naming it.
    """
    first: dict[str, Any] = {}
    home: dict[str, str] = {}
    for number, (name, path) in enumerate(files.items()):
        try:
            metadata, tensors = _read(path, may_be_empty=len(files) > 1)
            _check_part(metadata, number, len(files))
        except GgufError as error:
            raise GgufError(f"{name}: {error}") from error
        for tensor in tensors:
            if tensor in home:
                raise GgufError(f"expected each tensor once, found {tensor!r} in {home[tensor]} and {name}")
            home[tensor] = name
        first = first or metadata
    expected = first.get(_PARTS_TENSORS)
    if len(files) > 1 and expected not in (None, len(home)):
        raise GgufError(f"expected {expected} tensors in all parts, found {len(home)}")
    return first


def _check_part(metadata: Mapping[str, Any], number: int, total: int) -> None:
    found = (metadata.get(_PART, 0), metadata.get(_PARTS) or 1)
    if found != (number, total):
        raise GgufError(f"expected part {number + 1} of {total}, found part {found[0] + 1} of {found[1]}")


def _read(path: Path, *, may_be_empty: bool) -> tuple[dict[str, Any], list[str]]:
    """The metadata and the tensors' names. `may_be_empty`: a part may hold metadata only."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_FIXED_HEADER.size)
        if len(head) < _FIXED_HEADER.size:
            raise GgufError(f"expected a header of {_FIXED_HEADER.size} bytes, found a file of {size} bytes")
        magic, version, tensors, entries = _FIXED_HEADER.unpack(head)
        if magic != b"GGUF":
            raise GgufError(f"expected the magic 'GGUF', found {magic!r}")
        if version not in _VERSIONS:
            raise GgufError(f"expected version 2 or 3 in little-endian order, found {version}")
        if (tensors == 0 and not may_be_empty) or (tensors + entries) * _MIN_ENTRY_BYTES > size:
            raise GgufError(
                f"expected counts that fit into {size} bytes, found {tensors} tensors, {entries} entries"
            )
        reader = _Reader(stream)
        metadata = dict(reader.entry() for _ in range(entries))
        table = [reader.tensor() for _ in range(tensors)]
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or alignment < 1:
            raise GgufError(f"expected general.alignment as a whole number, found {alignment!r}")
        data_start = math.ceil(stream.tell() / alignment) * alignment
    _check_table(table, size - data_start, alignment)
    return metadata, [name for name, _, _ in table]


def _check_table(table: list[tuple[str, int, int]], data_bytes: int, alignment: int) -> None:
    """Names are unique; from offset to offset tensors fit, aligned, without overlap, within the file."""
    names = set()
    reached = 0
    for name, offset, size in sorted(table, key=lambda row: row[1]):
        if name in names or not name:
            raise GgufError(f"expected a name for each tensor, each once, found {name!r}")
        names.add(name)
        if offset % alignment:
            raise GgufError(f"expected {name!r} to start at a multiple of {alignment}, found {offset}")
        if offset < reached:
            raise GgufError(f"expected {name!r} to start at byte {reached} or later, found {offset}")
        reached = offset + size
    if reached > data_bytes:
        raise GgufError(
            f"expected {reached} bytes of tensors by the header, found {max(0, data_bytes)} in the file"
        )


class _Reader:
    """Reads the header's parts one after the other."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def entry(self) -> tuple[str, Any]:
        """One metadata entry; arrays are walked over and given as None."""
        key = self._string()
        return key, self._value(self._number("<I"))

    def tensor(self) -> tuple[str, int, int]:
        """One row of the tensor table: name, offset, size in bytes."""
        name, count = self._string(), self._number("<I")
        if not 1 <= count <= 4:
            raise GgufError(f"expected 1 to 4 dimensions for {name!r}, found {count}")
        shape = [self._number("<Q") for _ in range(count)]
        kind, offset = self._number("<I"), self._number("<Q")
        if kind not in _BLOCKS:
            raise GgufError(f"expected a known type for {name!r}, found {kind}")
        elements, size = _BLOCKS[kind]
        if shape[0] % elements:
            raise GgufError(f"expected rows of whole blocks of {elements} for {name!r}, found {shape[0]}")
        return name, offset, math.prod(shape) // elements * size

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._skip_array()
        if kind not in _SCALARS:
            raise GgufError(f"expected a known metadata type, found {kind}")
        return self._number(_SCALARS[kind])

    def _skip_array(self) -> None:
        kind, count = self._number("<I"), self._number("<Q")
        if kind in _SCALARS:
            self._take(count * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING:
            for _ in range(count):
                self._take(self._number("<Q"))
        else:
            raise GgufError(f"expected an array of numbers or strings, found type {kind}")

    def _string(self) -> str:
        length = self._number("<Q")
        if length > _MAX_STRING_BYTES:
            raise GgufError(f"expected a string of at most {_MAX_STRING_BYTES} bytes, found {length}")
        return self._take(length).decode(errors="replace")

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        if count > _MAX_STRING_BYTES * 16:
            raise GgufError(f"expected a header that fits into memory, found a part of {count} bytes")
        data = self._stream.read(count)
        if len(data) < count:
            raise GgufError("expected a whole header, found the end of the file in it")
        return data
