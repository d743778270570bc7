"""Trying again after failures that may pass. Owns waiting and giving up; sources say what is transient."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import TransientError
from ..settings import Settings

MAX_WAIT_S = 60.0
T = TypeVar("T")


def keep_trying(
    operation: Callable[[], T],
    settings: Settings,
    say: Callable[[str], None],
    reached: Callable[[], int] = lambda: 0,
) -> T:
    """Run until it succeeds, with pauses that double, at most a minute each.

    Args:
        operation: one try; raises TransientError when another may help.
        settings: `retries` tries in a row without progress are made, `retry_wait_s` is the first pause.
        say: told before each pause.
        reached: how far the work has come; only going beyond the furthest point counts as progress.

    Raises:
        TransientError: the last one, when the tries are used up.
    """
    failures, best = 0, reached()
    while True:
        try:
            return operation()
        except TransientError as error:
            if reached() > best:
                failures, best = 0, reached()
            failures += 1
            if failures > settings.retries:
                raise
            wait = pause_s(error, failures, settings.retry_wait_s)
            say(f"{error}; trying again in {wait:.0f} s ({failures} of {settings.retries})")
            time.sleep(wait)


def pause_s(error: TransientError, failures: int, first_s: float) -> float:
    """Seconds to wait after so many failures in a row: as asked, else doubling, at most a minute."""
    return min(MAX_WAIT_S, max(error.retry_after_s or 0, first_s * 2.0 ** (failures - 1)))
