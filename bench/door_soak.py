"""The door over time: 1,000 idle connections and 500 streams, errors counted, its memory sampled.

Owns the idle clients, the sampling and the verdict. Idle means what a browser or an SDK leaves open between
questions: a kept connection that sends one cheap request (GET /health) every 30 s, below nginx's
keepalive_timeout (75 s), which would close one that is silent for good, and rightly. The requests are
spread over the 30 s.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvloop

from bench.request_load import Line
from bench.stream_load import GENERATE, Demand, StreamLoad, http_request

IDLE_EVERY_S = 30.0
SAMPLE_EVERY_S = 5.0
Sample = dict[str, float]


class Idle:
    """So many kept connections that ask for little and seldom.

    Attributes:
        asked: requests answered with 200.
        errors: other answers, and connections lost with a request under way.
        closed_between: connections that the server closed while nothing was asked; they are opened again.
    """

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self._address, self.count = address, count
        self._request = http_request("GET", "/health", address, None, b"")
        self.asked = self.errors = self.closed_between = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.count):
                group.create_task(self._one(number * IDLE_EVERY_S / self.count))

    async def _one(self, first_after_s: float) -> None:
        """Opens the connection with its first request: nginx ends one that begins with 15 s of silence."""
        loop = asyncio.get_running_loop()
        line: Line | None = None
        await asyncio.sleep(first_after_s)
        while True:
            if line is None or line.closed:
                self.closed_between += line is not None
                _, line = await loop.create_connection(Line, *self._address)
            answer: asyncio.Future[int] = loop.create_future()
            line.ask(self._request, answer.set_result)
            if await answer == 200:
                self.asked += 1
            else:
                self.errors += 1
            await asyncio.sleep(IDLE_EVERY_S)


def memory(pids: Sequence[int]) -> Sample:
    """Megabytes of the processes together: private, shared memory (zones), files, and all of it."""
    totals = {"RssAnon": 0, "RssShmem": 0, "RssFile": 0, "VmRSS": 0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in totals:
                totals[name] += int(value.split()[0])
    return {name: round(kilobytes / 1024, 2) for name, kilobytes in totals.items()}


async def _sample(pids: Callable[[], Sequence[int]], began: float, samples: list[Sample]) -> None:
    while True:
        samples.append({"second": round(time.monotonic() - began, 1), **memory(pids())})
        await asyncio.sleep(SAMPLE_EVERY_S)


async def _run(demand: Demand, idle: Idle, pids: Callable[[], Sequence[int]]) -> dict[str, Any]:
    samples: list[Sample] = []
    before = memory(pids())
    load = StreamLoad(demand)
    others = [
        asyncio.create_task(idle.run()),
        asyncio.create_task(_sample(pids, time.monotonic(), samples)),
    ]
    times = await load.run()
    for task in others:
        task.cancel()
    ended = await asyncio.gather(*others, return_exceptions=True)
    failures = [repr(each) for each in ended if not isinstance(each, asyncio.CancelledError)]
    return {
        "streams": times.report(),
        "idle": {
            "connections": idle.count,
            "requests": idle.asked,
            "errors": idle.errors,
            "closed_between_requests": idle.closed_between,
        },
        "failures": failures,
        "memory_mb_before": before,
        "memory_mb": {name: trend(samples, name) for name in ("RssAnon", "RssShmem", "VmRSS")},
        "samples": samples[:: max(1, len(samples) // 40)],
    }


def trend(samples: Sequence[Sample], name: str) -> dict[str, float | bool]:
    """How one kind of memory went after the first minute.

    Flat means: over an hour the line through the samples would rise by less than a tenth of their mean.
    """
    later = [sample for sample in samples if sample["second"] >= 60] or list(samples)
    values = [sample[name] for sample in later]
    mean = statistics.fmean(values)
    slope = 0.0
    if len(later) > 2:
        slope = statistics.linear_regression([sample["second"] / 60 for sample in later], values).slope
    return {
        "least": min(values),
        "mean": round(mean, 2),
        "greatest": max(values),
        "slope_mb_per_minute": round(slope, 4),
        "flat": slope * 60 < 0.1 * max(mean, 1.0),
    }


def soak(
    address: tuple[str, int],
    key: str,
    minutes: float,
    pids: Callable[[], Sequence[int]],
    *,
    streams: int = 500,
    idle: int = 1000,
    rate: int = 10,
    tokens: int = 200,
) -> dict[str, Any]:
    """Runs idle and active clients for about so many minutes; returns counts, memory and its trend."""
    turns = max(1, round(minutes * 60 * rate / tokens))
    demand = Demand(
        address, key, streams, streams * turns, tokens, rate, ttft_ms=40, route=GENERATE, patience_s=60
    )
    gc.collect()
    gc.freeze()
    return {"minutes": minutes, "tokens_per_s": rate, **uvloop.run(_run(demand, Idle(address, idle), pids))}
