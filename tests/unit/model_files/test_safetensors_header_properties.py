"""Properties of the safetensors validator: it accepts all that the library writes, and no damaged header."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from model_files.safetensors_header import DTYPE_BITS, SafetensorsError, check_file, check_header

DTYPES = (
    np.bool_,
    np.uint8,
    np.int8,
    np.int16,
    np.uint16,
    np.float16,
    np.int32,
    np.float32,
    np.int64,
    np.float64,
)
SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda n: n != "__metadata__")
TENSORS = st.dictionaries(NAMES, st.tuples(st.sampled_from(DTYPES), SHAPES), max_size=5)
METADATA = st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
BOUNDED = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def written(tensors: dict[str, tuple[type, tuple[int, ...]]], metadata: dict[str, str] | None) -> bytes:
    """A file as the safetensors library writes it."""
    return save({name: np.zeros(shape, kind) for name, (kind, shape) in tensors.items()}, metadata)


def check(data: bytes) -> dict[str, Any]:
    """The validator, on bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(data)
        return dict(check_file(path))


@BOUNDED
@given(TENSORS, METADATA)
def test_all_that_the_library_writes_is_accepted(
    tensors: dict[str, tuple[type, tuple[int, ...]]], metadata: dict[str, str] | None
) -> None:
    # safetensors 0.8 itself can't read the file that it writes for no tensors and empty metadata
    assume(tensors or metadata != {})
    found = check(written(tensors, metadata))

    assert {name: tensor.shape for name, tensor in found.items()} == {n: s for n, (_, s) in tensors.items()}


@BOUNDED
@given(TENSORS.filter(bool), st.integers(-(2**40), 2**40).filter(bool))
def test_a_wrong_header_length_is_refused(
    tensors: dict[str, tuple[type, tuple[int, ...]]], error: int
) -> None:
    data = written(tensors, None)
    length = max(0, int.from_bytes(data[:8], "little") + error)
    with pytest.raises(SafetensorsError, match="expected"):
        check(length.to_bytes(8, "little") + data[8:])


@BOUNDED
@given(TENSORS.filter(bool), st.integers(0, 63))
def test_a_flipped_bit_of_the_header_length_is_refused(
    tensors: dict[str, tuple[type, tuple[int, ...]]], bit: int
) -> None:
    data = written(tensors, None)
    length = int.from_bytes(data[:8], "little") ^ (1 << bit)
    with pytest.raises(SafetensorsError, match="expected"):
        check(length.to_bytes(8, "little") + data[8:])


@BOUNDED
@given(TENSORS.filter(bool), st.integers(1, 4096), st.booleans())
def test_a_file_that_is_longer_or_shorter_is_refused(
    tensors: dict[str, tuple[type, tuple[int, ...]]], count: int, longer: bool
) -> None:
    data = written(tensors, None)
    with pytest.raises(SafetensorsError, match="expected"):
        check(data + bytes(count) if longer else data[: -min(count, len(data))])


def test_every_single_flipped_bit_of_a_header_is_refused_or_changes_only_a_name() -> None:
    """Exhaustive: a flip inside a tensor's name gives another valid name; the index check is there for
    that."""
    data = save({"w1": np.zeros((2, 3), np.float32), "w2": np.zeros(4, np.float16)})
    length = int.from_bytes(data[:8], "little")
    header, data_bytes = data[8 : 8 + length], len(data) - 8 - length
    truth = {name: (t.dtype, t.shape, t.start, t.end) for name, t in check_header(header, data_bytes).items()}
    renamed = 0
    for bit in range(8 * len(header)):
        damaged = bytearray(header)
        damaged[bit // 8] ^= 1 << (bit % 8)
        try:
            found = check_header(bytes(damaged), data_bytes)
        except SafetensorsError as error:
            assert str(error)
            continue
        values = sorted((t.dtype, t.shape, t.start, t.end) for t in found.values())
        equal_width = {name for name, bits in DTYPE_BITS.items() if bits in (16, 32)}
        for got, want in zip(values, sorted(truth.values()), strict=True):
            assert got[1:] == want[1:], f"bit {bit} changed a shape or an offset unnoticed"
            assert got[0] == want[0] or got[0] in equal_width
        renamed += found.keys() != truth.keys()
    assert renamed > 0


FIELD_DAMAGE = st.sampled_from(
    [
        ("dtype", "F32x"),
        ("dtype", "f32"),
        ("dtype", 5),
        ("dtype", None),
        ("shape", None),
        ("shape", [-1]),
        ("shape", [1.0]),
        ("shape", ["1"]),
        ("shape", [True]),
        ("shape", [2**63]),
        ("shape", "11"),
        ("data_offsets", None),
        ("data_offsets", [0]),
        ("data_offsets", [0, 1, 2]),
        ("data_offsets", [-1, 3]),
        ("data_offsets", ["0", "4"]),
        ("data_offsets", {}),
    ]
)


@BOUNDED
@given(TENSORS.filter(bool), FIELD_DAMAGE, st.data())
def test_a_damaged_field_is_refused(
    tensors: dict[str, tuple[type, tuple[int, ...]]], damage: tuple[str, Any], data: st.DataObject
) -> None:
    whole = written(tensors, None)
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header[data.draw(st.sampled_from(sorted(tensors)))][damage[0]] = damage[1]
    with pytest.raises(SafetensorsError, match="expected"):
        check_header(json.dumps(header).encode(), len(whole) - 8 - length)


@BOUNDED
@given(TENSORS.filter(bool), st.integers(-8, 8).filter(bool), st.integers(0, 1), st.data())
def test_a_shifted_offset_is_refused(
    tensors: dict[str, tuple[type, tuple[int, ...]]], shift: int, which: int, data: st.DataObject
) -> None:
    whole = written(tensors, None)
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header[data.draw(st.sampled_from(sorted(tensors)))]["data_offsets"][which] += shift
    with pytest.raises(SafetensorsError, match="expected"):
        check_header(json.dumps(header).encode(), len(whole) - 8 - length)


@BOUNDED
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(SafetensorsError, match="expected"):
        check(data)
