"""Is this a whole safetensors file, and which tensors does it hold? Owns the rules of the format's header.

Reads 8 bytes and the header, never tensors. The rules are those of the format's description and of the
`safetensors` library 0.8, plus "no name twice".
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

MAX_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
_METADATA = "__metadata__"
_TENSOR_KEYS = {"dtype", "shape", "data_offsets"}

_DTYPE_BITS = {
    8: ("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"),
    4: ("F4",),
    6: ("F6_E2M3", "F6_E3M2"),
    16: ("I16", "U16", "F16", "BF16"),
    32: ("I32", "U32", "F32"),
    64: ("I64", "U64", "F64", "C64"),
}
DTYPE_BITS: dict[str, int] = {name: bits for bits, names in _DTYPE_BITS.items() for name in names}


class SafetensorsError(Exception):
    """Why a file or a set of shards is not valid, as `expected …, found …`."""


@dataclass(frozen=True)
class Tensor:
    """One tensor's entry; `start` and `end` are byte offsets into the data after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def check_file(path: Path) -> dict[str, Tensor]:
    """Read and check one file's header against the file's length.

    Returns:
        The tensors by name.

    Raises:
        SafetensorsError: the first rule that the file breaks.
    """
    size = os.stat(path).st_size
    with path.open("rb") as stream:
        prefix = stream.read(_LENGTH_BYTES)
        if len(prefix) < _LENGTH_BYTES:
            raise SafetensorsError(f"expected a header length of 8 bytes, found a file of {size} bytes")
        length = int.from_bytes(prefix, "little")
        if length > MAX_HEADER_BYTES:
            raise SafetensorsError(
                f"expected a header of at most {MAX_HEADER_BYTES} bytes, found one of {length}"
            )
        if length > size - _LENGTH_BYTES:
            raise SafetensorsError(f"expected a header of {length} bytes, found only {size - _LENGTH_BYTES}")
        header = stream.read(length)
    return check_header(header, size - _LENGTH_BYTES - length)


def check_header(header: bytes, data_bytes: int) -> dict[str, Tensor]:
    """Check a header's JSON against the number of data bytes after it. Returns and raises as `check_file`."""
    tensors = {}
    for name, entry in parse_object(header).items():
        if name == _METADATA:
            _check_metadata(entry)
        else:
            tensors[name] = _tensor(name, entry)
    _check_tiling(tensors, data_bytes)
    return tensors


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object with unique keys at every level, in UTF-8, and nothing but spaces after it.

    Raises:
        SafetensorsError: it is none.
    """
    try:
        parsed = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise SafetensorsError(f"expected JSON in UTF-8, found {_short(error)}") from error
    if not isinstance(parsed, dict) or not data.startswith(b"{"):
        raise SafetensorsError("expected a JSON object from the first byte on, found something else")
    return parsed


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:120]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise SafetensorsError(f"expected unique names, found {twice!r} twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise SafetensorsError(f"expected JSON, found {name}, which is none")


def _check_metadata(entry: object) -> None:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise SafetensorsError(f"expected {_METADATA} to map text to text, found something else")


def _tensor(name: str, entry: object) -> Tensor:
    if not isinstance(entry, dict) or entry.keys() != _TENSOR_KEYS:
        raise SafetensorsError(f"expected dtype, shape and data_offsets for {name!r}, found something else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise SafetensorsError(f"expected a known dtype for {name!r}, found {dtype!r}")
    if not _is_counts(shape):
        raise SafetensorsError(f"expected a shape of whole numbers for {name!r}, found {shape!r}")
    if not _is_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise SafetensorsError(f"expected two rising data_offsets for {name!r}, found {offsets!r}")
    bits = math.prod(shape) * DTYPE_BITS[dtype]
    start, end = offsets
    if bits != 8 * (end - start):
        raise SafetensorsError(
            f"expected {bits / 8:.15g} bytes for {name!r} ({dtype} {shape}), found {end - start} by its "
            "offsets"
        )
    return Tensor(dtype, tuple(shape), start, end)


def _is_counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _check_tiling(tensors: Mapping[str, Tensor], data_bytes: int) -> None:
    """The tensors must cover the data from 0 to the file's end, without gaps and overlaps."""
    reached = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if tensor.start != reached:
            kind = "a gap" if tensor.start > reached else "an overlap"
            raise SafetensorsError(
                f"expected {name!r} to start at byte {reached}, found {kind}: {tensor.start}"
            )
        reached = tensor.end
    if reached != data_bytes:
        raise SafetensorsError(
            f"expected {reached} bytes of tensors by the header, found {data_bytes} in the file"
        )
