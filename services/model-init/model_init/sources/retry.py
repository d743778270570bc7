"""Trying again after failures that may pass. Owns waiting, what is said meanwhile, and giving up; sources say
what is transient.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from ..errors import TransientError
from ..settings import Settings

MAX_WAIT_S = 60.0
MAX_ASKED_S = 3600.0
SAY_EVERY_S = 60.0
T = TypeVar("T")


class Patience:
    """Somebody waits for a line, maybe for a night: says so once a minute, and since when."""

    def __init__(self, waits: Callable[[str], None]) -> None:
        self._waits = waits
        self._lock = threading.Lock()
        self.came()

    def came(self) -> None:
        """Something has come."""
        with self._lock:
            self._quiet_since = self._said_at = time.monotonic()

    def still_nothing(self, why: Callable[[], str]) -> None:
        """Nothing comes, and it is not the end."""
        now = time.monotonic()
        with self._lock:
            if now - self._said_at < SAY_EVERY_S:
                return
            self._said_at = now
            minutes = round((now - self._quiet_since) / 60)
        self._waits(
            f"nothing has come for {minutes} min; {why()}. What came is kept, and it goes on when the line "
            "is back (an end: MODEL_RETRIES)"
        )

    def pause(self, seconds: float, why: str) -> None:
        """Wait so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.still_nothing(lambda: why)
            time.sleep(min(left, SAY_EVERY_S))


def keep_trying(
    operation: Callable[[], T],
    settings: Settings,
    say: Callable[[str], None],
    reached: Callable[[], int] = lambda: 0,
    *,
    waits: Callable[[str], None] | None = None,
) -> T:
    """Run until it succeeds, with pauses that double, at most a minute each.

    Args:
        operation: one try; raises TransientError when another may help.
        settings: `retries` tries in a row without progress are made (None: no end of them), `retry_wait_s` is
            the first pause.
        say: told of each failure before the pause, of the same one again only where tries are counted.
        reached: how far the work has come; only going beyond the furthest point counts as progress.
        waits: told once a minute that nothing comes (default: `say`).

    Raises:
        TransientError: the last one, when the tries are used up.
    """
    failures, best, told = 0, reached(), ""
    patience = Patience(waits or say)
    while True:
        try:
            return operation()
        except TransientError as error:
            if reached() > best:
                failures, best = 0, reached()
                patience.came()
            failures += 1
            if settings.retries is not None and failures > settings.retries:
                raise
            wait = pause_s(error, failures, settings.retry_wait_s)
            if settings.retries is not None or str(error) != told:
                told = str(error)
                say(f"{error}; trying again in {wait:.0f} s{of_so_many(failures, settings)}")
            patience.pause(wait, str(error))


def of_so_many(failures: int, settings: Settings) -> str:
    """How many of the tries are used up, where there is an end of them."""
    return "" if settings.retries is None else f" ({failures} of {settings.retries})"


def pause_s(error: TransientError, failures: int, first_s: float) -> float:
    """Seconds to wait after so many failures in a row: as asked, else doubling, at most a minute."""
    if error.retry_after_s is not None:
        return min(MAX_ASKED_S, max(error.retry_after_s, first_s))
    return min(MAX_WAIT_S, first_s * 2.0 ** min(failures - 1, 30))


def asked_to_wait_s(headers: Mapping[str, str]) -> float | None:
    """How long an answer asks us to wait: Retry-After in seconds or as a date, else the `RateLimit` of IETF's
    draft (`"api";r=0;t=55`, in older ones `reset=55`)."""
    after = headers.get("retry-after", "").strip()
    if after.isascii() and after.isdigit():
        return float(after)
    with suppress(ValueError, OverflowError):
        at = parsedate_to_datetime(after)
        # why: "-0000", by the standard's word, says nothing of a zone
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    until = re.search(r"(?:^|[;,\s])(?:t|reset)=(\d+)", headers.get("ratelimit", ""))
    return float(until[1]) if until else None
