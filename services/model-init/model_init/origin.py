"""Where the bytes of a model from a folder lay, so that a changed folder is noticed at the next start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAMES = "the names in it"


@dataclass(frozen=True)
class Origin:
    """One file as it lay in the mounted folder: its place there (`at`), size, time, inode."""

    path: str
    at: str
    size: int
    mtime_ns: int
    inode: int


def origin_of(root: Path, path: Path) -> Origin:
    """As it is now, behind links. A folder's time tells whether names came or went in it."""
    info = path.stat()
    at = str(path.relative_to(root))
    if path.is_dir():
        return Origin(NAMES, at, 0, info.st_mtime_ns, info.st_ino)
    return Origin(path.name, at, info.st_size, info.st_mtime_ns, info.st_ino)


def changed(root: Path, origins: tuple[Origin, ...], read: Callable[[Path, Origin], bool]) -> list[str]:
    """The files that are not what they were, by name. None where the folder is gone: it was read once.

    Args:
        read: whether a file's bytes differ; asked for those that look the same.
    """
    if not root.is_dir() or not any(root.iterdir()):
        return []
    names = []
    for origin in origins:
        path = root / origin.at
        try:
            same = origin_of(root, path) == origin and (origin.path == NAMES or not read(path, origin))
        except OSError:
            same = False
        if not same:
            names.append(origin.path)
    return names
