"""A model's folder in the volume: where files lie while unfinished, when proven, when bad. Owns every rename.

config.json, model-00001-of-00004.safetensors …    proven files, under the names that engines open
manifest.json                                      written last: "complete and verified"
manifest.json.partial                              the same while a repair is under way
<name>.<digest>.partial                            unfinished downloads
.expected.json                                     a hub's file list, kept from first use
.quarantine/<name>.sha256-<digest found>           files that failed, the last one of each name
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from ..errors import InvalidModel, ModelInitError, SettingsError
from ..file_list import ListedFile
from ..selection import PICKLE_SUFFIXES, WEIGHT_SUFFIXES

QUARANTINE = ".quarantine"
PARTIAL = ".partial"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EIO)


class ModelFolder:
    """`<models_dir>/<organisation>/<name>`."""

    def __init__(self, models_dir: Path, model_id: str) -> None:
        self.path = models_dir / model_id
        self.manifest = self.path / "manifest.json"
        self.retracted_manifest = self.path / "manifest.json.partial"
        self.expected = self.path / ".expected.json"
        self.scratch = self.path / ".scratch.partial"
        self._quarantine = self.path / QUARANTINE

    def create(self) -> None:
        """Make the folder. Raises `InvalidModel` when a link would lead out of the volume."""
        for folder in (self.path.parent, self.path):
            if folder.is_symlink():
                raise InvalidModel(f"expected a folder at {folder}, found a link; remove it and start again")
        self.path.mkdir(parents=True, exist_ok=True)

    def final(self, file: ListedFile) -> Path:
        """Where the proven file lies."""
        return self.path / file.path

    def partial(self, file: ListedFile) -> Path:
        """Where the file grows. The expected digest is in the name: other content never resumes this one."""
        mark = f".{file.digest.hex[:16]}" if file.digest else ""
        return self.path / f"{file.path}{mark}{PARTIAL}"

    def publish(self, file: ListedFile) -> None:
        """Give a proven file its name, atomically. The caller syncs the folder when all are named."""
        os.replace(self.partial(file), self.final(file))

    def retract_manifest(self) -> None:
        """Say that the folder is no longer complete, keeping what its files must be for the repair."""
        if self.manifest.exists():
            os.replace(self.manifest, self.retracted_manifest)
            sync_folder(self.path)

    def quarantine(self, path: Path, name: str, label: str) -> Path:
        """Move a bad file aside. Only the last one of a name is kept, so that this never fills the disk."""
        self._quarantine.mkdir(exist_ok=True)
        for older in self._quarantine.glob(f"{name}.*"):
            older.unlink()
        target = self._quarantine / f"{name}.{label}"
        os.replace(path, target)
        return target

    def quarantined_digest(self, name: str) -> str | None:
        """SHA-256 of the bad file of this name that was moved aside, if there is one."""
        prefix = f"{name}.sha256-"
        kept = next(self._quarantine.glob(f"{prefix}*"), None)
        return kept.name.removeprefix(prefix) if kept else None

    def remove_leftovers(self, keep: Iterable[ListedFile]) -> None:
        """Delete unfinished downloads that no listed file will resume, and scratch space."""
        wanted = {self.partial(file) for file in keep} | {self.retracted_manifest}
        for path in self.path.glob(f"*{PARTIAL}"):
            if path not in wanted and path.is_file():
                path.unlink()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def strays(self, listed: Iterable[ListedFile]) -> list[Path]:
        """Files that are none of the model's, but that an engine would open or that run code when loaded."""
        names = {file.path for file in listed}
        suffixes = WEIGHT_SUFFIXES + PICKLE_SUFFIXES
        return sorted(p for p in self.path.iterdir() if p.name.endswith(suffixes) and p.name not in names)


def sync_folder(path: Path) -> None:
    """Make renames in this folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def prepare_volume(models_dir: Path) -> None:
    """Check that the volume can be written and make `out`, over which the engine gets a tmpfs.

    Raises:
        SettingsError: the folder is missing or not ours to write.
    """
    if not models_dir.is_dir() or not os.access(models_dir, os.W_OK | os.X_OK):
        raise SettingsError(
            f"MODELS_DIR: expected a folder that uid {os.getuid()} can write, found {models_dir} "
            f"({'not writable' if models_dir.is_dir() else 'no folder'}); mount the volume or correct "
            "its owner"
        )
    (models_dir / "out").mkdir(exist_ok=True)


@contextlib.contextmanager
def only_writer(models_dir: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the volume alone: digests are taken as bytes are written, so a second writer would void them.

    Some network file systems know only one of the two kinds of locks, some none: then a person is told.
    """
    with (models_dir / ".model-init.lock").open("w") as handle:
        for lock in (fcntl.flock, fcntl.lockf):
            try:
                _lock(lock, handle, say)
                break
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                reason = error.strerror
        else:
            say(
                f"warning: the models volume's file system has no locks ({reason}): see to it that only one "
                "model-init works on it at a time"
            )
        yield


def _lock(lock: Callable[[IO[str], int], object], handle: IO[str], say: Callable[[str], None]) -> None:
    try:
        lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        say("Another model-init works on this volume; waiting for it")
        lock(handle, fcntl.LOCK_EX)


@contextlib.contextmanager
def start_mark(models_dir: Path) -> Iterator[bool]:
    """Leave a mark while working; yields whether the last start left one behind, so ended without an end."""
    mark = models_dir / ".model-init.running"
    ended_badly = mark.exists()
    mark.touch()
    try:
        yield ended_badly
    except (ModelInitError, KeyboardInterrupt):
        mark.unlink(missing_ok=True)
        raise
    mark.unlink(missing_ok=True)
