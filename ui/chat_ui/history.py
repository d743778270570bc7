"""The last hour in figures: what the engines and the door say, every ten seconds, in this replica's memory.

Bounded, and gone with the replica: who wants more switches monitoring on. Nothing in it is about a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from chat_ui import figures
from chat_ui.engine import EngineClient
from chat_ui.figures import Series
from chat_ui.status import addresses

INTERVAL_SECONDS = 10.0
POINTS = 360
PATIENCE_SECONDS = 5.0
ENGINE_PORT = 3000
TTFT = "appliance_first_byte_seconds"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Point:
    """One look. `at` is Unix seconds; rates are of the ten seconds before; None where nobody says it."""

    at: float
    batch: float | None
    queue: float | None
    tokens_per_second: float | None
    requests_per_second: float | None
    first_token_p50: float | None
    first_token_p95: float | None


@dataclass(frozen=True)
class Look:
    """What was read, the engines' by their addresses, and when (of a clock that never jumps)."""

    at: float
    engines: Mapping[str, Series]
    door: Series


def point(before: Look, now: Look, at: float) -> Point:
    """What two looks say together."""
    seconds = max(now.at - before.at, 0.001)

    def rate(name: str) -> float | None:
        grown = figures.growth(before.engines, now.engines, name)
        return None if grown is None else grown / seconds

    engines = [each for series in now.engines.values() for each in series]
    tokenizing = {"route": "tokenize"}
    old, new = figures.buckets(before.door, TTFT, tokenizing), figures.buckets(now.door, TTFT, tokenizing)
    return Point(
        at,
        figures.total(engines, "tgi_batch_current_size"),
        figures.total(engines, "tgi_queue_size"),
        rate("tgi_request_generated_tokens_sum"),
        rate("tgi_request_count"),
        figures.quantile(0.5, old, new),
        figures.quantile(0.95, old, new),
    )


@dataclass
class History:
    """Looks every ten seconds while `watching`; `points` are the oldest first."""

    engine: EngineClient
    engine_host_name: str
    clock: Callable[[], float] = time.monotonic
    interval: float = INTERVAL_SECONDS
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=POINTS), init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look_on())

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _look_on(self) -> None:
        before: Look | None = None
        while True:
            await asyncio.sleep(self.interval)
            try:
                now = await self._look()
            except Exception:
                log.exception("the figures could not be read")
                continue
            if before is not None:
                self.points.append(point(before, now, time.time()))
            before = now

    async def _look(self) -> Look:
        hosts = await addresses(self.engine_host_name)
        urls = [f"http://{host}:{ENGINE_PORT}/metrics" for host in hosts]
        door, *engines = await asyncio.gather(
            self._text(f"{self.engine.base_url}/metrics"), *(self._text(url) for url in urls)
        )
        read = {host: figures.parse(text) for host, text in zip(hosts, engines, strict=True)}
        return Look(self.clock(), read, figures.parse(door))

    async def _text(self, url: str) -> str:
        """What is there; nothing where nobody answers."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        try:
            async with self.engine.session.get(url, timeout=timeout) as response:
                return await response.text() if response.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError, OSError):
            return ""
