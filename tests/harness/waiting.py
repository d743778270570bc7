"""Waiting on conditions, never on time: a deadline only turns a hang into a failure that explains itself.
And asking again where the model has a say in the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_ANSWERS = 6


def in_some_answer(is_so: Callable[[], bool]) -> bool:
    """Whether it is so within a few tries. For texts of several requests that should be the same: which text
    is the likeliest may change with whatever else the engine has in its batch, and with what it kept of a
    prompt.
    """
    return any(is_so() for _ in range(_ANSWERS))


def wait_until(
    condition: Callable[[], object],
    what: str,
    *,
    deadline_s: float = 120,
    poll_s: float = 0.2,
    detail: Callable[[], str] = lambda: "",
) -> None:
    """Returns as soon as `condition()` is true.

    Raises:
        AssertionError: after `deadline_s` seconds, naming `what` and adding `detail()`.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline_s:.0f} s still not true: {what}\n{detail()}")
        time.sleep(poll_s)
