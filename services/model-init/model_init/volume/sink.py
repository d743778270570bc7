"""The unfinished file that a source writes into. Owns its bytes on disk and their digests; publishes nothing.

Several sources may write different parts of it at once. Digests are taken in the file's order as bytes
arrive, so that a finished download is a verified one. Bytes that were there before their turn came (of an
interrupted run, or from a source that works further on) are hashed by a thread while new ones arrive; the
thread catches up with the writer and ends.
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
from .parts import EARLIER, MAX_NOTE_BYTES, Part, Parts

_GIVE_BACK_BYTES = 64 * 1024
_WRITE_OUT_BYTES = 16 * 1024 * 1024


class SourceSentTooMuch(Exception):
    """The body goes on beyond the file's listed size: these are not the listed bytes."""


def held_bytes(path: Path, file: ListedFile) -> int:
    """How much of an unfinished file is there, without opening it for writing."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        parts = _read_parts(handle, file)
        return parts.size if parts else 0
    finally:
        os.close(handle)


def _read_parts(handle: int, file: ListedFile) -> Parts | None:
    """What is there; None when it can't belong to this file."""
    length = os.fstat(handle).st_size
    # Without a digest nothing tells whether old bytes belong to this file.
    if file.digest is None:
        return Parts() if not length else None
    if length <= file.size:
        return Parts([Part(0, length, EARLIER)] if length else None)
    return Parts.from_note(os.pread(handle, MAX_NOTE_BYTES, file.size).split(b"\n")[0], file.size)


class Sink:
    """A context manager around one `.partial` file; bytes are on disk when it closes.

    One `write` at a time: who writes from several threads holds a lock.
    """

    def __init__(self, path: Path, file: ListedFile) -> None:
        self._path = path
        self._file = file
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        self._hasher = Hasher(file)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = False
        self._error: OSError | None = None
        self._doubted: list[Part] = []
        # of each writer the bytes that the kernel was not told to write yet: where they end, where they start
        self._unwritten: dict[int, int] = {}
        # who gave other bytes than the one who was asked after him, and the first place where they differ
        self.differences: dict[str, int] = {}
        parts = _read_parts(self._handle, file)
        self._parts = parts or Parts()
        self._noted = os.fstat(self._handle).st_size > file.size
        if parts is None:
            self.restart()
        self._follow()

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
        """Bytes so far."""
        return self._parts.size

    def gaps(self) -> list[tuple[int, int]]:
        """What is missing, in order, from start to before stop."""
        return self._parts.gaps(self._file.size)

    def givers(self) -> dict[str, int]:
        """Who gave how many of the bytes that are there."""
        return self._parts.givers()

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
        self._parts, self._doubted, self._noted = Parts(), [], False
        self._hasher, self._error, self._unwritten = Hasher(self._file), None, {}

    def doubt(self, keep: str) -> None:
        """Count all bytes that others than `keep` gave as missing. They stay on disk to be compared with."""
        self._end_thread(stop=True)
        self._doubted += self._parts.drop(keep)
        self._hasher, self._error = Hasher(self._file), None
        self._note()
        self._follow()

    def write(self, chunk: bytes | memoryview, at: int | None = None, giver: str = "") -> None:
        """Put bytes that are missing into their place: behind the first ones without a gap, or at `at`.

        Raises:
            SourceSentTooMuch: the file would become longer than listed; nothing is written.
            NoDiskSpace: the volume is full; what fits stays for the next start.
        """
        at = self._parts.prefix if at is None else at
        if at + len(chunk) > self._file.size:
            raise SourceSentTooMuch(f"{self._file.path}: more than {self._file.size} bytes")
        rest = memoryview(chunk)
        try:
            if at != self._parts.prefix and not self._noted:
                # why: without the note on disk, a gap would be taken for bytes of the file
                self._note(gap_ahead=True)
                os.fdatasync(self._handle)
            self._compare(rest, at)
            while rest:
                written = os.pwrite(self._handle, rest, at)
                self._count(rest[:written], at, giver)
                rest, at = rest[written:], at + written
        except OSError as error:
            if error.errno not in FULL:
                raise DiskFailure(
                    f"the models volume can't be written: {self._path.name}: {error}; check the disk, "
                    "then start again"
                ) from error
            self._give_back()
            raise no_disk_space(
                self._path.parent, f"room for {self._file.size} bytes of {self._file.path}", "it full"
            ) from error

    def _count(self, written: memoryview, at: int, giver: str) -> None:
        stop = at + len(written)
        with self._lock:
            self._parts.add(at, stop, giver)
            hash_here = self._thread is None and at == self._hasher.size
        if hash_here:
            self._hasher.update(written)
        self._follow()
        if self._noted:
            self._note()
        start = self._unwritten.pop(at, at)
        if stop - start >= _WRITE_OUT_BYTES:
            # have the kernel begin to write to disk now, so that the fsync at the end finds little left
            os.posix_fadvise(self._handle, start, stop - start, os.POSIX_FADV_DONTNEED)
        else:
            self._unwritten[stop] = start

    def _note(self, *, gap_ahead: bool = False) -> None:
        """Keep on disk which parts are there; without gaps the length of the file says it."""
        doubted = bool(self._doubted) and self.size < self._file.size
        self._noted = gap_ahead or doubted or not self._parts.whole
        if self._noted:
            os.pwrite(self._handle, self._parts.note(), self._file.size)
        else:
            os.ftruncate(self._handle, self._parts.size)

    def _give_back(self) -> None:
        """Make a little room on the full volume: status.json, which is to say so, needs it there."""
        os.ftruncate(self._handle, self._parts.shorten(_GIVE_BACK_BYTES))
        if self._parts.whole:
            return
        try:
            self._note()
        except OSError:
            # another file took that room: what needs a note can't be kept
            os.ftruncate(self._handle, self._parts.cut())
            self._noted = False

    def _compare(self, chunk: memoryview, at: int) -> None:
        """Remember whose doubted bytes are not those that come now."""
        for part in self._doubted:
            start, stop = max(at, part.start), min(at + len(chunk), part.stop)
            if start < stop and os.pread(self._handle, stop - start, start) != chunk[start - at : stop - at]:
                self.differences.setdefault(part.giver, start)

    def _follow(self) -> None:
        """Have a thread hash what lies ahead of the hasher, if there is something and none does."""
        with self._lock:
            if self._thread is None and self._hasher.size < self._parts.prefix:
                self._thread = threading.Thread(
                    target=self._catch_up, name=f"hash {self._file.path}", daemon=True
                )
                self._thread.start()

    def _catch_up(self) -> None:
        """Hash from the file until there is nothing more to read; from then on the writer hashes."""
        while not self._stop:
            with self._lock:
                wanted = min(READ_BYTES, self._parts.prefix - self._hasher.size)
                if wanted <= 0:
                    self._thread = None
                    return
            try:
                chunk = os.pread(self._handle, wanted, self._hasher.size)
                if not chunk:
                    raise OSError(errno.EIO, "the file became shorter while it was written", str(self._path))
            except OSError as error:
                self._error = error
                return
            self._hasher.update(chunk)

    def _end_thread(self, *, stop: bool) -> None:
        thread = self._thread
        if thread is not None:
            self._stop = stop
            thread.join()
            self._thread, self._stop = None, False
