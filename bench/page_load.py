"""What a chat page costs its server while many people read answers, and how late they read each token.

Owns the measurement of one crowd. An answer is a model's Markdown with a stamp in one token of ten
(tgi_shapes), so a token's way from the engine to whoever reads it is known.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from docker.errors import APIError

from bench.door_rig import Rig
from bench.page_rig import Heard, Page
from bench.quiet import Quiet
from bench.stream_load import GENERATE, Demand, percentiles, run

TTFT_MS = 40
_STAMP = re.compile(r"@(\d{19})")
_SAMPLE_S = 1.0
Figures = dict[str, Any]


def measure(rig: Rig, page: Page, people: int, rate: int, tokens: int) -> Figures:
    """So many people ask, and each gets so many tokens at this rate."""
    question = f"rate={rate} ttft_ms={TTFT_MS} text=sampled"
    with page.people(people) as crowd:
        # the first answer of a process costs what no later one does
        crowd.ask(question, rate)
        quiet = Quiet(rig.all_cpu_seconds, 0)
        with _peak(lambda: rig.memory_mb(page.server)) as memory:
            before = rig.cpu_seconds(page.server)
            heard = crowd.ask(question, tokens)
            cpu = rig.cpu_seconds(page.server) - before
        others = quiet.share()
    late = [ns for each in heard for ns in latencies(each)]
    told = tokens * sum(not each.lost for each in heard)
    updates = [came for each in heard for came, _ in each.grown]
    seconds = (max(updates) - min(updates)) / 1e9
    return {
        "people": people,
        "rate": rate,
        "tokens": told,
        "lost": sum(bool(each.lost) for each in heard),
        "first_lost": [each.lost for each in heard if each.lost][:3],
        "updates": len(updates),
        "seconds": round(seconds, 2),
        "cpu_seconds_per_1000_tokens": round(cpu / max(told, 1) * 1000, 4),
        "cores": round(cpu / seconds, 3),
        "memory_mb": round(max(memory), 1),
        "latency_ms": percentiles(late),
        "others_share_of_all_cores": others,
    }


def straight(address: tuple[str, int], people: int, rate: int, tokens: int) -> Figures:
    """The same from the emitter itself."""
    demand = Demand(
        address, None, people, people, tokens, rate, ttft_ms=TTFT_MS, route=GENERATE, patience_s=30
    )
    report = run(demand).report()
    return {"people": people, "rate": rate, "latency_ms": report["latency_ms"], "errors": report["errors"]}


def latencies(heard: Heard) -> list[int]:
    """Nanoseconds from a stamp to the update that brought the whole of it."""
    updates = iter(heard.grown)
    came, length = next(updates, (0, 0))
    found = []
    for stamp in _STAMP.finditer(heard.text):
        while length < stamp.end():
            came, length = next(updates)
        found.append(came - int(stamp[1]))
    return found


@contextmanager
def _peak(read: Callable[[], float]) -> Iterator[list[float]]:
    """What `read` says, every second and once at least."""
    seen = [read()]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLE_S):
            with suppress(APIError):
                seen.append(read())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
