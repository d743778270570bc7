"""Free space on the models volume, asked before the first byte is fetched. Deletes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import NoDiskSpace
from ..report.console import human_bytes

MARGIN_BYTES = 256 * 1024 * 1024


def require_free_space(folder: Path, to_write_bytes: int) -> None:
    """Raise `NoDiskSpace` unless the volume can take this many bytes and keep a margin of 256 MiB."""
    needed = to_write_bytes + MARGIN_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise no_disk_space(
            folder, f"{human_bytes(needed)} free for what is still to fetch and a margin", human_bytes(free)
        )


def no_disk_space(folder: Path, expected: str, found: str) -> NoDiskSpace:
    """The one message for a full volume, before or while writing."""
    return NoDiskSpace(
        f"no disk space: expected {expected} on the models volume ({folder}), found {found}; free some "
        "space (docker system df, docker volume ls) or move Docker's data to a larger disk, then start "
        "again: what is already there is kept"
    )
