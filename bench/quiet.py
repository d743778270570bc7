"""How much the rest of the machine works while something is measured, and waiting until it works little.

Owns /proc/stat and the arithmetic. A machine that others use, too, is the usual one: a round that they
disturbed is told apart by this, not by its figures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

QUIET_SHARE = 0.08
_SAMPLE_S = 1.0


class Quiet:
    """Watches what others use of all cores.

    Args:
        ours: processor seconds that the measured containers have used so far.
        patience_s: how long `wait` waits at most; 0: others do not matter.
    """

    def __init__(self, ours: Callable[[], float], patience_s: float) -> None:
        self._ours, self._patience_s = ours, patience_s
        self.begin()

    def begin(self) -> None:
        """From here on `share` counts."""
        self._began, self._busy, self._own = time.monotonic(), _busy_seconds(), self._own_seconds()

    def enough(self, shares: Sequence[float], wanted: int) -> bool:
        """Whether so many rounds were quiet, or four times as many were tried."""
        tries = 4 * wanted if self._patience_s else wanted
        return len(shares) >= tries or sum(share <= QUIET_SHARE for share in shares) >= wanted

    def share(self) -> float:
        """The share of all cores, 0 to 1, that others have used since `begin`."""
        seconds = time.monotonic() - self._began
        others = _busy_seconds() - self._busy - (self._own_seconds() - self._own)
        return round(max(0.0, others / seconds / (os.cpu_count() or 1)), 3)

    def wait(self) -> None:
        """Returns when others were quiet for a second, or patience is over; then begins to count."""
        end = time.monotonic() + self._patience_s
        while time.monotonic() < end:
            self.begin()
            time.sleep(_SAMPLE_S)
            if self.share() <= QUIET_SHARE:
                break
        self.begin()

    def _own_seconds(self) -> float:
        return self._ours() + time.process_time()


def _busy_seconds() -> float:
    """Without softirq: what the kernel does there for the measured packets, too, belongs to no container."""
    user, nice, system, _idle, _iowait, _irq, _softirq, steal, *_ = (
        Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return sum(map(int, (user, nice, system, steal))) / os.sysconf("SC_CLK_TCK")
