"""What people and machines read while model-init works. Owns numbers in words and the shape of lines.

Three forms: a terminal gets one progress line that is rewritten in place; `--json`, with which Compose starts
it, one JSON object per event on stdout; everything else one plain line per event on stderr.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, TextIO

PLAIN_INTERVAL_S = 10.0
_UNITS = ("B", "kB", "MB", "GB", "TB")


def human_bytes(count: float) -> str:
    """Bytes in SI units with three significant digits: 15.2 GB."""
    power = _power(count)
    return f"{_scaled(count, power)} {_UNITS[power]}"


def human_part(done: int, total: int) -> str:
    """`1.20/3.95 GB`: both numbers in the unit of the total."""
    power = _power(total)
    return f"{_scaled(done, power)}/{_scaled(total, power)} {_UNITS[power]}"


def human_seconds(seconds: float) -> str:
    """`0:32` or `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _power(count: float) -> int:
    power = 0
    while count >= 1000 and power < len(_UNITS) - 1:
        count /= 1000
        power += 1
    return power


def _scaled(count: float, power: int) -> str:
    value = count / 1000**power
    if power == 0:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


class Console:
    """Prints events and progress in the form that suits the reader."""

    def __init__(
        self, *, as_json: bool = False, err: TextIO | None = None, out: TextIO | None = None
    ) -> None:
        self._as_json = as_json
        self._err = err or sys.stderr
        self._out = out or sys.stdout
        self._terminal = self._err.isatty() and not as_json
        self._last_progress = time.monotonic()
        self._line_open = False

    def event(self, text: str, fields: dict[str, Any]) -> None:
        """One thing that happened. `fields` go to the JSON form only."""
        if self._as_json:
            self._print_json({"event": "message", "message": text, **fields})
            return
        if self._line_open:
            self._err.write("\n")
            self._line_open = False
        print(text, file=self._err, flush=True)

    def progress(self, text: str, fields: dict[str, Any]) -> None:
        """How far the work is; called about twice a second, printed as often as the form bears."""
        if self._terminal:
            self._err.write(f"\r\x1b[2K{text}")
            self._err.flush()
            self._line_open = True
            return
        now = time.monotonic()
        if now - self._last_progress < PLAIN_INTERVAL_S:
            return
        self._last_progress = now
        if self._as_json:
            self._print_json({"event": "progress", "message": text, **fields})
        else:
            print(text, file=self._err, flush=True)

    def _print_json(self, record: dict[str, Any]) -> None:
        print(json.dumps(record, ensure_ascii=False), file=self._out, flush=True)
