"""Tells people and status.json, in step, what the work is doing. The work itself prints nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from ..errors import ModelInitError
from ..rate import RateMeter
from .console import Console, human_bytes, human_part, human_seconds
from .status import UPDATE_INTERVAL_S, Stage, Status

# below it the end is not in sight
MEANINGFUL_RATE = 10


class FileProgress:
    """How far one file is, in absolute bytes of it."""

    def __init__(self, reporter: Reporter, path: str, size: int, done: int) -> None:
        self.path, self.size, self.done = path, size, done
        self._reporter = reporter

    def progress(self, done: int) -> None:
        """So many bytes of the file are done."""
        if done > self.done:
            self._reporter.status.waiting = None
        self.done = done
        self._reporter.advanced(self)

    def finished(self) -> None:
        """All of it is."""
        self._reporter.finished(self)


class Reporter:
    """One per run; may be told things from several threads."""

    def __init__(self, models_dir: Path, status: Status, console: Console, *, writes: bool = True) -> None:
        self.status = status
        self._models_dir = models_dir
        self._console = console
        self._writes = writes
        self._meter = RateMeter()
        self._carried: dict[str, int] = {}
        self._source_meters: dict[str, RateMeter] = {}
        self._last_tick = float("-inf")
        self._lock = threading.RLock()
        self._finished = 0
        self._active: dict[str, FileProgress] = {}

    def say(self, text: str) -> None:
        """One line for the log; status.json keeps its message."""
        with self._lock:
            self._console.event(text, {"stage": self.status.stage})

    def carried(self, source: str, count: int) -> None:
        """A source has brought so many more bytes."""
        with self._lock:
            self._carried[source] = self._carried.get(source, 0) + count
            self._source_meters.setdefault(source, RateMeter())

    def waits(self, text: str) -> None:
        """Nothing comes, and it is not the end."""
        with self._lock:
            self.status.waiting = text
            self.say(text)
            self.write()

    def stage(self, stage: Stage, message: str) -> None:
        """A new phase of the work, said and written at once."""
        with self._lock:
            self.status.stage, self.status.message = stage, message
            self.status.rate_bytes_per_s = self.status.eta_s = self.status.file = None
            self.status.sources, self.status.waiting = {}, None
            self.say(message)
            self.write()

    def begin(self, *, done: int, total: int, files_done: int, files_total: int) -> None:
        """Start counting: bytes and files that are already there, and all there are."""
        status = self.status
        status.bytes_done, status.bytes_total = done, total
        status.files_done, status.files_total = files_done, files_total
        self._finished = done
        self._active.clear()
        self._meter.restart(done)
        self.write()

    def file(self, path: str, size: int, already: int = 0) -> FileProgress:
        """Work on one file begins; `already` of its bytes were there before and are no part of the rate."""
        with self._lock:
            progress = self._active[path] = FileProgress(self, path, size, already)
            self.status.file = path
            self._meter.skip(already)
            self._count()
            self.write()
        return progress

    def advanced(self, file: FileProgress) -> None:
        """A file has come further; said and written about twice a second."""
        now = time.monotonic()
        if now - self._last_tick < UPDATE_INTERVAL_S:
            return
        with self._lock:
            if file.path not in self._active:
                return
            self._last_tick = now
            self.status.file = file.path
            self._count()
            self._measure()
            self._console.progress(self._progress_line(file), self._fields())
            self.write()

    def finished(self, file: FileProgress) -> None:
        """A file is done."""
        with self._lock:
            del self._active[file.path]
            self._finished += file.size
            self._count()
            self.status.files_done += 1
            self.write()

    def _count(self) -> None:
        self.status.bytes_done = self._finished + sum(file.done for file in self._active.values())

    def repaired(self, path: str, expected_sha256: str, found_sha256: str) -> None:
        """A damaged file has been replaced by a good one."""
        self.status.repaired.append(
            {"path": path, "expected_sha256": expected_sha256, "found_sha256": found_sha256}
        )
        self.say(
            f"repaired {path}: it was damaged (sha256 {found_sha256}), now it is right (sha256 "
            f"{expected_sha256})"
        )
        self.write()

    def ready(self, message: str, total_bytes: int, files: int) -> None:
        """The end of a good run."""
        self.begin(done=total_bytes, total=total_bytes, files_done=files, files_total=files)
        self.stage("ready", message)

    def fail(self, error: ModelInitError) -> None:
        """The end of a failed run: one line, and the same in status.json."""
        status = self.status
        status.stage, status.message = "failed", str(error)
        status.rate_bytes_per_s = status.eta_s = None
        status.error = {"code": error.code, "message": str(error)}
        self._console.event(f"error: {error}", {"stage": "failed", "error": status.error})
        self.write()

    def write(self) -> None:
        """Write status.json now."""
        with self._lock:
            if self._writes:
                self.status.write(self._models_dir)

    def _measure(self) -> None:
        status = self.status
        rate = self._meter.update(status.bytes_done)
        status.rate_bytes_per_s = None if rate is None else round(rate)
        if rate and rate >= MEANINGFUL_RATE and status.bytes_total is not None:
            status.eta_s = round((status.bytes_total - status.bytes_done) / rate, 1)
        else:
            status.eta_s = None
        rates = {name: meter.update(self._carried[name]) for name, meter in self._source_meters.items()}
        status.sources = {name: round(rate) for name, rate in rates.items() if rate is not None}

    def _progress_line(self, file: FileProgress) -> str:
        status = self.status
        line = f"{status.stage} {file.path} {human_part(file.done, file.size)}"
        if len(self._active) > 1:
            line += f" and {len(self._active) - 1} more"
        if status.bytes_total and status.files_total != 1:
            line += (
                f" ({100 * status.bytes_done // status.bytes_total}% of {human_bytes(status.bytes_total)})"
            )
        if status.rate_bytes_per_s is not None:
            line += f" {human_bytes(status.rate_bytes_per_s)}/s"
        if status.eta_s is not None:
            line += f" ETA {human_seconds(status.eta_s)}"
        if len(status.sources) > 1:
            best_first = sorted(status.sources.items(), key=lambda source: -source[1])
            line += f" ({', '.join(f'{name} {human_bytes(rate)}/s' for name, rate in best_first)})"
        return line

    def _fields(self) -> dict[str, Any]:
        names = (
            "stage",
            "file",
            "bytes_done",
            "bytes_total",
            "rate_bytes_per_s",
            "eta_s",
            "files_done",
            "files_total",
            "sources",
        )
        return {name: getattr(self.status, name) for name in names}
