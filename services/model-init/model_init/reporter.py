"""Tells people and status.json, in step, what the work is doing. The work itself prints nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from .console import Console, human_bytes, human_part, human_seconds
from .errors import ModelInitError
from .status import UPDATE_INTERVAL_S, RateMeter, Stage, Status


class Reporter:
    """One per run. Byte counts given to `progress` are absolute for their file."""

    def __init__(self, models_dir: Path, status: Status, console: Console) -> None:
        self.status = status
        self._models_dir = models_dir
        self._console = console
        self._meter = RateMeter()
        self._last_tick = float("-inf")
        self._base = 0
        self._file_size = 0

    def say(self, text: str) -> None:
        """One line for the log; status.json keeps its message."""
        self._console.event(text, {"stage": self.status.stage})

    def stage(self, stage: Stage, message: str) -> None:
        """A new phase of the work, said and written at once."""
        self.status.stage, self.status.message = stage, message
        self.status.rate_bytes_per_s = self.status.eta_s = self.status.file = None
        self.say(message)
        self.write()

    def begin(self, *, done: int, total: int, files_done: int, files_total: int) -> None:
        """Start counting: bytes and files that are already there, and all there are."""
        status = self.status
        status.bytes_done, status.bytes_total = done, total
        status.files_done, status.files_total = files_done, files_total
        self._base = done
        self._meter.restart(done)
        self.write()

    def file(self, path: str, size: int, already: int = 0) -> None:
        """Work on one file begins; `already` of its bytes were there before and are no part of the rate."""
        self.status.file, self._file_size = path, size
        self.status.bytes_done = self._base + already
        self._meter.skip_to(self.status.bytes_done)
        self.write()

    def progress(self, done: int) -> None:
        """So many bytes of the current file are done."""
        self.status.bytes_done = self._base + done
        now = time.monotonic()
        if now - self._last_tick < UPDATE_INTERVAL_S:
            return
        self._last_tick = now
        self._measure()
        self._console.progress(self._progress_line(done), self._fields())
        self.write()

    def file_done(self, size: int) -> None:
        """The current file is finished."""
        self._base += size
        self.status.bytes_done = self._base
        self.status.files_done += 1
        self.write()

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
        self.status.write(self._models_dir)

    def _measure(self) -> None:
        status = self.status
        rate = self._meter.update(status.bytes_done)
        status.rate_bytes_per_s = None if rate is None else round(rate)
        if rate and status.bytes_total is not None:
            status.eta_s = round((status.bytes_total - status.bytes_done) / rate, 1)
        else:
            status.eta_s = None

    def _progress_line(self, done: int) -> str:
        status = self.status
        line = f"{status.stage} {status.file} {human_part(done, self._file_size)}"
        if status.bytes_total and status.files_total != 1:
            line += (
                f" ({100 * status.bytes_done // status.bytes_total}% of {human_bytes(status.bytes_total)})"
            )
        if status.rate_bytes_per_s is not None:
            line += f" {human_bytes(status.rate_bytes_per_s)}/s"
        if status.eta_s is not None:
            line += f" ETA {human_seconds(status.eta_s)}"
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
        )
        return {name: getattr(self.status, name) for name in names}
