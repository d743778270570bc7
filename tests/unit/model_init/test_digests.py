"""Digests of files, their comparison with a list, and the marks that tell a changed file."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from model_init.digests import difference, hash_file, stat_mark
from model_init.file_list import Digest, ListedFile

DATA = b"some bytes\n" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def listed(digest: Digest | None = None) -> ListedFile:
    """DATA as a source lists it."""
    return ListedFile("x.bin", len(DATA), digest or Digest("sha256", SHA256))


def test_gits_blob_id_is_what_git_says(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(DATA)
    git = subprocess.run(
        ["git", "hash-object", path.name], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    file = listed(Digest("git-sha1", git.stdout.strip()))

    found = hash_file(path, file, lambda done: None)
    assert found.sha256 == SHA256
    assert difference(file, found) is None


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (ListedFile("x", len(DATA) + 1, None), f"expected {len(DATA) + 1} bytes, found {len(DATA)}"),
        (listed(Digest("sha256", "0" * 64)), f"expected sha256 {'0' * 64}, found {SHA256}"),
        (listed(Digest("git-sha1", "0" * 40)), f"expected git-sha1 {'0' * 40}, found "),
        (ListedFile("x", len(DATA), None), None),
    ],
)
def test_differences_are_named(tmp_path: Path, file: ListedFile, reason: str | None) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    found = difference(file, hash_file(path, file, lambda done: None))

    assert (found is None) if reason is None else (found or "").startswith(reason)


def test_a_rewrite_with_its_time_put_back_changes_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    before = stat_mark(path)
    assert before is not None
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(before[1].mtime_ns, before[1].mtime_ns))
    after = stat_mark(path)

    assert after is not None
    assert after[1].mtime_ns == before[1].mtime_ns
    assert after != before


def test_a_link_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    (tmp_path / "link").symlink_to("x")

    assert stat_mark(tmp_path / "link") is None
    assert stat_mark(tmp_path / "none") is None
