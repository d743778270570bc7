"""Free space on the models volume, asked before the first byte is fetched. Deletes nothing."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from ..errors import DiskFailure, ModelInitError, NoDiskSpace, SettingsError
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


FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def disk_failure(error: OSError) -> ModelInitError:
    """What an error of the file system means, wherever it came up."""
    where = str(error.filename or "the models volume")
    if error.errno in FULL:
        return no_disk_space(Path(where), "room for a few more bytes", "it full")
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno in _REFUSED:
        return SettingsError(
            f"MODELS_DIR: expected files that may be read and written, found {where}: {reason}; correct the "
            "volume's owner and mount"
        )
    return DiskFailure(
        f"the disk failed: {where}: {reason}; check the disk and its file system (dmesg), then start again"
    )
