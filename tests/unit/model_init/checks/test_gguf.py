"""Damaged GGUF headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model_init_run import gguf as whole_gguf
from model_init.checks.gguf import GgufError, check_file, check_model


def gguf(
    magic: bytes = b"GGUF", version: int = 3, tensors: int = 2, entries: int = 3, size: int = 1000
) -> bytes:
    """A file that begins like a GGUF."""
    head = (
        magic + version.to_bytes(4, "little") + tensors.to_bytes(8, "little") + entries.to_bytes(8, "little")
    )
    return head.ljust(size, b"\0")[:size]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "found a file of 0 bytes"),
        (gguf(size=23), "found a file of 23 bytes"),
        (gguf(magic=b"GGML"), "expected the magic 'GGUF', found b'GGML'"),
        (gguf(version=1), "expected version 2 or 3 .* found 1"),
        (gguf(version=3 << 24), "expected version 2 or 3"),
        (gguf(tensors=0), "found 0 tensors"),
        (gguf(tensors=10**6), "found 1000000 tensors"),
        (gguf(entries=2**63), "expected counts that fit"),
    ],
)
def test_a_damaged_gguf_header_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(GgufError, match=reason):
        check_file(path)


def part(number: int, total: int, *names: str, tensors: int) -> bytes:
    """One file of a model that was split, as llama.cpp's own tool writes it."""
    numbers = {"split.no": number, "split.count": total, "split.tensors.count": tensors}
    return whole_gguf(*names, numbers=numbers)


PARTS = {
    "m-00001-of-00002.gguf": part(0, 2, tensors=2),
    "m-00002-of-00002.gguf": part(1, 2, "a", "b", tensors=2),
}


def written(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in files}


def test_all_parts_of_a_model_are_checked_together(tmp_path: Path) -> None:
    """The first may hold no tensor at all."""
    assert check_model(written(tmp_path, PARTS))["general.architecture"] == "llama"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"m.gguf": PARTS["m-00002-of-00002.gguf"]}, "m.gguf: expected part 1 of 1, found part 2 of 2"),
        (dict(reversed(PARTS.items())), "m-00002-of-00002.gguf: expected part 1 of 2, found part 2 of 2"),
        (
            PARTS | {"m-00002-of-00002.gguf": part(1, 2, "a", tensors=2)},
            "expected 2 tensors in all parts, found 1",
        ),
        (
            {"one": part(0, 2, "a", tensors=2), "two": part(1, 2, "a", tensors=2)},
            "expected each tensor once, found 'a' in one and two",
        ),
        (PARTS | {"m-00002-of-00002.gguf": b"GGML" + bytes(40)}, "m-00002-of-00002.gguf: expected the magic"),
    ],
)
def test_parts_that_make_up_no_model(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(GgufError, match=reason):
        check_model(written(tmp_path, files))
