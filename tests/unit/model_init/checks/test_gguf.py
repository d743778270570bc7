"""Damaged GGUF headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_init.checks.gguf import GgufError, check_file


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
