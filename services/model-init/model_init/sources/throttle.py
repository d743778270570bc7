"""A bandwidth limit shared by all downloads of a run. Owns the arithmetic and the waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST_S = 0.25


class Throttle:
    """Lets a number of bytes per second through; `None` lets everything through."""

    def __init__(
        self,
        bytes_per_s: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_s
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def chunk(self, wanted: int) -> int:
        """How many bytes to take at once, so that the limit is even over fractions of a second."""
        return wanted if self._rate is None else max(1024, min(wanted, int(self._rate * _BURST_S / 4)))

    def took(self, count: int) -> None:
        """So many bytes were taken: wait until the next ones are due."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - _BURST_S) + count / self._rate
            wait = self._free_at - now
        if wait > 0:
            self._sleep(wait)
