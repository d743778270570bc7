"""The safetensors header's rules: what the real library writes is accepted, each single damage is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import TensorSpec, serialize_file
from safetensors.numpy import save_file

from model_files.safetensors_header import DTYPE_BITS, SafetensorsError, Tensor, check_file, check_header

# the library's names, and the format's
LIBRARY_DTYPES = {
    "bool": "BOOL",
    "int8": "I8",
    "uint8": "U8",
    "int16": "I16",
    "uint16": "U16",
    "int32": "I32",
    "uint32": "U32",
    "int64": "I64",
    "uint64": "U64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2": "F8_E5M2",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
    "float4_e2m1fn_x2": "F4",
}


def header(**entries: object) -> bytes:
    """A header as the format has it; entries default to one F32 vector of two."""
    return json.dumps(entries or {"x": entry()}).encode()


def entry(**changes: object) -> dict[str, object]:
    """A valid tensor entry of 8 bytes with something changed."""
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes


@pytest.mark.parametrize("name", LIBRARY_DTYPES)
def test_every_dtype_that_the_library_writes_is_accepted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.safetensors"
    packed = 2 if name.endswith("_x2") else 1
    size = 6 * packed * DTYPE_BITS[LIBRARY_DTYPES[name]] // 8
    data = np.zeros(size, np.uint8)
    spec = TensorSpec(dtype=name, shape=[3, 2], data_ptr=data.ctypes.data, data_len=size)
    serialize_file({"x": spec}, path)

    assert check_file(path) == {"x": Tensor(LIBRARY_DTYPES[name], (3, 2 * packed), 0, size)}


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"scalar": np.array(1, np.float32)},
        {"empty": np.zeros((0, 4), np.float32), "full": np.ones(3, np.int8)},
        {f"layer.{n}": np.full(n + 1, n, np.float16) for n in range(50)},
        {'名字 "quoted"': np.ones(2, np.uint8)},
    ],
    ids=["no tensors", "a scalar", "an empty tensor", "many", "odd names"],
)
def test_what_the_library_writes_is_accepted(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    path = tmp_path / "x.safetensors"
    save_file(tensors, path, {"format": "pt"})

    assert check_file(path).keys() == tensors.keys()


def test_padding_after_the_json_is_accepted() -> None:
    assert "x" in check_header(header() + b"      ", 8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "expected a header length of 8 bytes, found a file of 0 bytes"),
        (b"\x02\x00\x00", "expected a header length of 8 bytes, found a file of 3 bytes"),
        ((10**8 + 1).to_bytes(8, "little") + b"{}", "expected a header of at most 100000000 bytes"),
        ((3).to_bytes(8, "little") + b"{}", "expected a header of 3 bytes, found only 2"),
        ((2**64 - 1).to_bytes(8, "little") + b"{}", "expected a header of at most"),
    ],
)
def test_a_damaged_length_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)

    with pytest.raises(SafetensorsError, match=reason):
        check_file(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_is_a_byte_short_or_long_is_refused(tmp_path: Path, change: int) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"x": np.ones(100, np.float32)}, path)
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"\0")

    with pytest.raises(
        SafetensorsError, match=f"expected 400 bytes of tensors by the header, found {400 + change}"
    ):
        check_file(path)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "expected JSON in UTF-8"),
        (b"[]", "expected a JSON object from the first byte on"),
        (b" {}", "expected a JSON object from the first byte on"),
        (b'{"x": ', "expected JSON in UTF-8"),
        (b'{"\xff": 1}', "expected JSON in UTF-8"),
        (b'{"x": NaN}', "found NaN"),
        (b"[" * 100_000, "expected JSON in UTF-8"),
        (header()[:-1] + b', "x": {}}', "expected unique names, found 'x' twice"),
        (b'{"x": {"dtype": "F32", "dtype": "F32"}}', "expected unique names, found 'dtype' twice"),
        (header(x=1), "expected dtype, shape and data_offsets for 'x'"),
        (header(x={"dtype": "F32", "shape": [2]}), "expected dtype, shape and data_offsets for 'x'"),
        (header(x=entry(extra=1)), "expected dtype, shape and data_offsets for 'x'"),
        (header(x=entry(dtype="F33")), "expected a known dtype for 'x', found 'F33'"),
        (header(x=entry(dtype=["F32"])), "expected a known dtype"),
        (header(x=entry(shape=[-2])), "expected a shape of whole numbers"),
        (header(x=entry(shape=[2.0])), "expected a shape of whole numbers"),
        (header(x=entry(shape=[True])), "expected a shape of whole numbers"),
        (header(x=entry(shape=2)), "expected a shape of whole numbers"),
        (header(x=entry(shape=[2**63])), "expected a shape of whole numbers"),
        (header(x=entry(shape=[3])), "expected 12 bytes for 'x' .* found 8 by its offsets"),
        (header(x=entry(shape=[2**40, 2**40])), "found 8 by its offsets"),
        (header(x=entry(dtype="F4", shape=[3], data_offsets=[0, 1])), "expected 1.5 bytes for 'x'"),
        (header(x=entry(data_offsets=[0])), "expected two rising data_offsets"),
        (header(x=entry(data_offsets=[8, 0])), "expected two rising data_offsets"),
        (header(x=entry(data_offsets=[0.0, 8])), "expected two rising data_offsets"),
        (header(x=entry(data_offsets=[1, 9])), "expected 'x' to start at byte 0, found a gap: 1"),
        (
            header(x=entry(), y=entry(data_offsets=[4, 12])),
            "expected 'y' to start at byte 8, found an overlap: 4",
        ),
        (header(x=entry(), y=entry()), "expected 'y' to start at byte 8, found an overlap: 0"),
        (header(x=entry(), __metadata__={"format": 1}), "expected __metadata__ to map text to text"),
        (header(x=entry(), __metadata__="pt"), "expected __metadata__ to map text to text"),
    ],
)
def test_each_damage_to_the_header_is_refused_with_its_reason(head: bytes, reason: str) -> None:
    with pytest.raises(SafetensorsError, match=reason):
        check_header(head, 8)


def test_every_flipped_bit_of_a_header_is_refused_or_changes_only_names(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"w": np.ones((4, 2), np.float32), "b": np.ones(3, np.int16)}, path)
    good = path.read_bytes()
    expected = sorted(check_file(path).values(), key=lambda tensor: tensor.start)
    length = int.from_bytes(good[:8], "little")
    accepted = 0
    for bit in range((8 + length) * 8):
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            found = check_file(path)
        except SafetensorsError:
            continue
        accepted += 1
        # F32 and I32, or [4,2] and [2,4], have the same length: only the digest can tell those apart
        assert [(t.start, t.end) for t in sorted(found.values(), key=lambda t: t.start)] == [
            (t.start, t.end) for t in expected
        ]
    assert accepted < length
