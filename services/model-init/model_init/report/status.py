"""status.json: what model-init is doing now, for the page, the CLI and /status. Owns file and rate meter.

Written by atomic replace, at most about twice a second while bytes move, at once when the stage changes. A
reader sees from `updated_at` (Unix seconds) whether anybody is still writing.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Stage = Literal["starting", "downloading", "verifying", "ready", "failed"]

UPDATE_INTERVAL_S = 0.5
_RATE_MEMORY_S = 5.0


@dataclass
class Status:
    """status.json, schema 1; sizes are bytes, rate is bytes per second, eta is seconds."""

    model_id: str
    revision: str | None = None
    source: str | None = None
    stage: Stage = "starting"
    bytes_done: int = 0
    bytes_total: int | None = None
    rate_bytes_per_s: float | None = None
    eta_s: float | None = None
    file: str | None = None
    files_done: int = 0
    files_total: int | None = None
    message: str = "Starting"
    error: dict[str, str] | None = None
    repaired: list[dict[str, str]] = field(default_factory=list)
    fast_kernels: dict[str, str | None] | None = None

    def write(self, models_dir: Path) -> None:
        """Replace status.json. Keeps quiet when it can't: a full disk must not hide the failure it causes."""
        record = {"schema": 1, **asdict(self), "updated_at": round(time.time(), 3)}
        new = models_dir / ".status.json.new"
        try:
            new.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(new, models_dir / "status.json")
        except OSError:
            pass


class RateMeter:
    """Bytes per second over about the last five seconds. Bytes and time both fade: right from the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.restart(0)

    def restart(self, done_bytes: int) -> None:
        """Measure from here."""
        self._at, self._done = self._clock(), done_bytes
        self._bytes = self._seconds = 0.0

    def skip(self, count: int) -> None:
        """So many bytes were there before: they are not part of the rate."""
        self._done += count

    def update(self, done_bytes: int) -> float | None:
        """The rate now, or None before there is one. Bytes that had to be given up count as no progress."""
        now = self._clock()
        elapsed = now - self._at
        fade = math.exp(-elapsed / _RATE_MEMORY_S)
        self._bytes = self._bytes * fade + max(0, done_bytes - self._done)
        self._seconds = self._seconds * fade + elapsed
        self._at, self._done = now, done_bytes
        return self._bytes / self._seconds if self._seconds > 0 else None
