"""Bytes per second over the last seconds. Owns the arithmetic."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_MEMORY_S = 5.0


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
        fade = math.exp(-elapsed / _MEMORY_S)
        self._bytes = self._bytes * fade + max(0, done_bytes - self._done)
        self._seconds = self._seconds * fade + elapsed
        self._at, self._done = now, done_bytes
        return self._bytes / self._seconds if self._seconds > 0 else None
