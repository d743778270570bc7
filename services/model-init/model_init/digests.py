"""Digests of files and their comparison with what was expected. Pure results; moves and deletes nothing."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .file_list import ListedFile

READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class StatMark:
    """What the file system says of a file. Writing to a file changes ctime even where mtime is put back."""

    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True)
class Found:
    """What a file turned out to be: size in bytes and digests (`git_sha1` only where it was expected)."""

    size: int
    sha256: str
    git_sha1: str | None = None


class Hasher:
    """Computes the digests that one listed file needs, as its bytes come by."""

    def __init__(self, file: ListedFile) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        wants_git = file.digest is not None and file.digest.algorithm == "git-sha1"
        # git's blob id is SHA-1 over "blob <size>\0" and the bytes; only small files have no better digest
        self._git = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False) if wants_git else None

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._sha256.update(chunk)
        if self._git is not None:
            self._git.update(chunk)
        self.size += len(chunk)

    def found(self) -> Found:
        """The digests of all bytes so far."""
        return Found(self.size, self._sha256.hexdigest(), self._git.hexdigest() if self._git else None)


def hash_file(
    path: Path,
    file: ListedFile,
    progress: Callable[[int], None],
    check: Callable[[], None] = lambda: None,
) -> Found:
    """Read a whole file and give its digests.

    `progress` gets the bytes read so far, `check` may stop it by raising.
    """
    hasher = Hasher(file)
    buffer = memoryview(bytearray(READ_BYTES))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            check()
            hasher.update(buffer[:count])
            progress(hasher.size)
    return hasher.found()


def difference(file: ListedFile, found: Found) -> str | None:
    """How the bytes differ from what is listed, as `expected …, found …`; None when they don't."""
    if found.size != file.size:
        return f"expected {file.size} bytes, found {found.size}"
    if file.digest is None:
        return None
    actual = found.sha256 if file.digest.algorithm == "sha256" else found.git_sha1
    if actual != file.digest.hex:
        return f"expected {file.digest.algorithm} {file.digest.hex}, found {actual}"
    return None


def stat_mark(path: Path) -> tuple[int, StatMark] | None:
    """Size and mark of a regular file; None when there is none (a link or a folder is none)."""
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(info.st_mode):
        return None
    return info.st_size, StatMark(info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
