"""Does this file begin as a GGUF that llama.cpp reads? Owns magic, version and counts; no tensor table."""

from __future__ import annotations

import struct
from pathlib import Path

_FIXED_HEADER = struct.Struct("<4sIQQ")
_VERSIONS = (2, 3)
# A metadata entry takes at least 8 (key length) + 1 (key) + 4 (type) + 1 (value) bytes, a tensor more.
_MIN_ENTRY_BYTES = 14


class GgufError(Exception):
    """Why a file is no GGUF, as `expected …, found …`."""


def check_file(path: Path) -> None:
    """Check the fixed header: magic, version, and counts that fit into the file.

    Raises:
        GgufError: the first rule that the file breaks.
    """
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
    if tensors == 0 or (tensors + entries) * _MIN_ENTRY_BYTES > size:
        raise GgufError(
            f"expected counts that fit into {size} bytes, found {tensors} tensors, {entries} entries"
        )
