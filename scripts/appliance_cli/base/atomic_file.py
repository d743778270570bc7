"""Replaces a file in one step that survives a power cut: whoever reads it sees the old content or the new."""

import os
import tempfile
from pathlib import Path


def owner_for(path: Path) -> tuple[int, int] | None:
    """To whom root gives what it writes there: the file's owner, else its folder's; None: not root."""
    if os.geteuid() != 0:
        return None
    state = (path if path.exists() else path.parent).stat()
    return state.st_uid, state.st_gid


def replace(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write ``content`` beside ``path`` and move it there; ``owner`` is uid and gid, None the caller's."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
