"""The unfinished file that a source writes into. Owns its bytes on disk and their digests; publishes nothing.

Digests are taken as bytes arrive, so that a finished download is a verified one. What an interrupted run left
is hashed once on opening, and the source may go on from there.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

from .disk import no_disk_space
from .plan import PlannedFile
from .verify import READ_BYTES, Found, Hasher

_GIVE_BACK_BYTES = 64 * 1024


class SourceSentTooMuch(Exception):
    """The body goes on beyond the file's planned size: these are not the planned bytes."""


class Sink:
    """A context manager around one `.partial` file; bytes are on disk when it closes."""

    def __init__(self, path: Path, file: PlannedFile) -> None:
        self._path = path
        self._file = file
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        self._hasher = Hasher(file)
        # Without a digest nothing tells whether old bytes belong to this file.
        if file.digest is None or os.fstat(self._handle).st_size > file.size:
            self.restart()
        else:
            while chunk := os.read(self._handle, READ_BYTES):
                self._hasher.update(chunk)

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                os.fsync(self._handle)
        finally:
            os.close(self._handle)

    @property
    def size(self) -> int:
        """Bytes so far: where a source goes on."""
        return self._hasher.size

    def found(self) -> Found:
        """Size and digests of what is there."""
        return self._hasher.found()

    def restart(self) -> None:
        """Give up what is there."""
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        self._hasher = Hasher(self._file)

    def write(self, chunk: bytes) -> None:
        """Append.

        Raises:
            SourceSentTooMuch: the file would become longer than planned; nothing is written.
            NoDiskSpace: the volume is full; what fits stays for the next start.
        """
        if self.size + len(chunk) > self._file.size:
            raise SourceSentTooMuch(f"{self._file.path}: more than {self._file.size} bytes")
        rest = memoryview(chunk)
        try:
            while rest:
                written = os.write(self._handle, rest)
                self._hasher.update(rest[:written])
                rest = rest[written:]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # why: status.json, which is to say so, needs a little room on the same volume
            os.ftruncate(self._handle, max(0, self.size - _GIVE_BACK_BYTES))
            raise no_disk_space(
                self._path.parent, f"room for {self._file.size} bytes of {self._file.path}", "it full"
            ) from error
