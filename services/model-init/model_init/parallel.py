"""Several threads over one list of work, that end together. Owns starting, failing and being stopped."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
Check = Callable[[], None]
_STOP_WITHIN_S = 2.0


class Cancelled(Exception):
    """Raised inside a worker when the work as a whole has ended early."""


def for_each(
    items: Iterable[T],
    work: Callable[[T, Check], None],
    workers: int,
    *,
    others_go_on: tuple[type[Exception], ...] = (),
) -> None:
    """Do the work for every item, in the order given, with so many threads.

    The threads are daemons: one that hangs in a read does not keep a stopped process alive.

    Args:
        work: gets an item and a function to call now and then, which raises `Cancelled` when it is to stop.
        others_go_on: failures after which the other items are still worth doing.

    Raises:
        Exception: the first one that `work` raised; BaseException: what interrupted the waiting.
    """
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    cancelled = threading.Event()
    errors: list[Exception] = []

    def check() -> None:
        if cancelled.is_set():
            raise Cancelled

    def run() -> None:
        try:
            work_off()
        finally:
            ended.release()

    def work_off() -> None:
        while not cancelled.is_set():
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                work(item, check)
            except Cancelled:
                return
            except Exception as error:
                errors.append(error)
                if not isinstance(error, others_go_on):
                    cancelled.set()

    # why not join: a signal in it makes Python 3.11 take a running thread for a finished one
    ended = threading.Semaphore(0)
    running = min(workers, todo.qsize())
    for _ in range(running):
        threading.Thread(target=run, daemon=True).start()
    try:
        while running and not cancelled.is_set():
            running -= ended.acquire(timeout=0.5)
    finally:
        cancelled.set()
        for _ in range(running):
            ended.acquire(timeout=_STOP_WITHIN_S)
    if errors:
        raise errors[0]
