"""The unfinished file that a source writes into. Owns its bytes on disk and their digests; publishes nothing.

Digests are taken as bytes arrive, so that a finished download is a verified one. What an interrupted run
left is hashed by a thread while the source already goes on from there; the thread catches up with the writer
and ends.
"""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from types import TracebackType

from ..digests import READ_BYTES, Found, Hasher
from ..errors import DiskFailure
from ..file_list import ListedFile
from .disk import FULL, no_disk_space

_GIVE_BACK_BYTES = 64 * 1024
_WRITE_OUT_BYTES = 16 * 1024 * 1024


class SourceSentTooMuch(Exception):
    """The body goes on beyond the file's listed size: these are not the listed bytes."""


class Sink:
    """A context manager around one `.partial` file; bytes are on disk when it closes."""

    def __init__(self, path: Path, file: ListedFile) -> None:
        self._path = path
        self._file = file
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        self._hasher = Hasher(file)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = False
        self._error: OSError | None = None
        self._size = os.fstat(self._handle).st_size
        self._written_out = self._size
        self._caught_up = self._size == 0
        # Without a digest nothing tells whether old bytes belong to this file.
        if file.digest is None or self._size > file.size:
            self.restart()
        elif self._size:
            os.lseek(self._handle, self._size, os.SEEK_SET)
            self._thread = threading.Thread(target=self._catch_up, name=f"hash {file.path}", daemon=True)
            self._thread.start()

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end_thread(stop=True)
            if kind is None:
                os.fsync(self._handle)
        finally:
            os.close(self._handle)

    @property
    def size(self) -> int:
        """Bytes so far: where a source goes on."""
        return self._size

    def found(self) -> Found:
        """Size and digests of what is there. Waits for the hashing of what was there before."""
        self._end_thread(stop=False)
        if self._error:
            raise self._error
        return self._hasher.found()

    def restart(self) -> None:
        """Give up what is there."""
        self._end_thread(stop=True)
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        self._hasher, self._size, self._caught_up, self._error = Hasher(self._file), 0, True, None
        self._written_out = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Append.

        Raises:
            SourceSentTooMuch: the file would become longer than listed; nothing is written.
            NoDiskSpace: the volume is full; what fits stays for the next start.
        """
        if self._size + len(chunk) > self._file.size:
            raise SourceSentTooMuch(f"{self._file.path}: more than {self._file.size} bytes")
        rest = memoryview(chunk)
        try:
            while rest:
                written = os.write(self._handle, rest)
                self._count(rest[:written])
                rest = rest[written:]
        except OSError as error:
            if error.errno not in FULL:
                raise DiskFailure(
                    f"the models volume can't be written: {self._path.name}: {error}; check the disk, "
                    "then start again"
                ) from error
            # why: status.json, which is to say so, needs a little room on the same volume
            os.ftruncate(self._handle, max(0, self._size - _GIVE_BACK_BYTES))
            raise no_disk_space(
                self._path.parent, f"room for {self._file.size} bytes of {self._file.path}", "it full"
            ) from error

    def _count(self, written: memoryview) -> None:
        with self._lock:
            self._size += len(written)
            hash_here = self._caught_up
        if hash_here:
            self._hasher.update(written)
        if self._size - self._written_out >= _WRITE_OUT_BYTES:
            self._write_out()

    def _write_out(self) -> None:
        """Have the kernel begin to write to disk now, so that the fsync at the end finds little left."""
        length = self._size - self._written_out
        os.posix_fadvise(self._handle, self._written_out, length, os.POSIX_FADV_DONTNEED)
        self._written_out = self._size

    def _catch_up(self) -> None:
        """Hash from the file until there is nothing more to read; from then on the writer hashes."""
        while not self._stop:
            with self._lock:
                if self._hasher.size >= self._size:
                    self._caught_up = True
                    return
                wanted = min(READ_BYTES, self._size - self._hasher.size)
            try:
                chunk = os.pread(self._handle, wanted, self._hasher.size)
                if not chunk:
                    raise OSError(errno.EIO, "the file became shorter while it was written", str(self._path))
            except OSError as error:
                self._error = error
                return
            self._hasher.update(chunk)

    def _end_thread(self, *, stop: bool) -> None:
        if self._thread is not None:
            self._stop = stop
            self._thread.join()
            self._thread, self._stop = None, False
