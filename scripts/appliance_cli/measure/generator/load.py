"""One load: so many people who ask again when they are answered, or requests at random moments.

Measures itself, too: how late its event loop woke up, and what share of a core it took.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance_cli.measure.generator.wire import Client, Outcome

LAG_STEP_S = 0.01


@dataclass(frozen=True)
class Load:
    """What to ask, and when. Either ``people`` (each asks again when answered) or ``rate`` a second is set.

    ``words``: single tokens, of which each prompt takes ``fill`` by lot between ``before`` and ``question``.
    ``seconds``: nothing new is asked after that, except that each of ``people`` asks ``least`` times.
    ``most``: so many answers at once; what would be one more is counted as held back, not asked.
    ``patience_s``: for an answer.
    """

    model: str
    words: list[str]
    fill: int
    before: str
    question: str
    answer_tokens: int
    seconds: float
    seed: int
    people: int = 0
    rate: float = 0.0
    least: int = 1
    most: int = 1_000_000
    patience_s: float = 600.0

    def body(self, number: int) -> bytes:
        """The request's body; no two begin alike, so that no prefix cache knows them."""
        # why: of a string, whose seeds do not repeat as sums of two numbers would
        lot = random.Random(f"{self.seed}/{number}")
        filler = " ".join(lot.choices(self.words, k=self.fill))
        content = {
            "model": self.model,
            "messages": [{"role": "user", "content": f"{self.before} {filler}\n{self.question}"}],
            "max_tokens": self.answer_tokens,
            "temperature": 0.7,
            "seed": number + 1,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return json.dumps(content).encode()


class Run:
    """One load under way."""

    def __init__(self, client: Client, load: Load, tell: Callable[[dict[str, Any]], None]) -> None:
        self._client, self._load, self._tell = client, load, tell
        self._began = time.perf_counter()
        self.outcomes: list[Outcome] = []
        self.held_back = 0
        self.running = 0
        self.steady_until: float | None = None
        self._lags: list[float] = []

    def now(self) -> float:
        """Seconds since the load began."""
        return time.perf_counter() - self._began

    async def go(self) -> dict[str, Any]:
        """Ask it all and say what came of it."""
        cpu = time.process_time()
        watch = asyncio.create_task(self._watch())
        try:
            await (self._people() if self._load.people else self._arrivals())
        finally:
            watch.cancel()
        took = self.now()
        return {
            "seconds": took,
            "steady_seconds": took if self.steady_until is None else self.steady_until,
            "held_back": self.held_back,
            "cpu_share": (time.process_time() - cpu) / took,
            "lags": self._lags,
            "outcomes": [vars(outcome) for outcome in self.outcomes],
        }

    async def _people(self) -> None:
        load = self._load

        async def person() -> None:
            asked = 0
            while asked < load.least or self.now() < load.seconds:
                asked += 1
                await self._once(self.now())
            # why: from here on fewer people ask than were to be measured
            self.steady_until = self.steady_until or self.now()

        await asyncio.gather(*(person() for _ in range(load.people)))

    async def _arrivals(self) -> None:
        load, lot = self._load, random.Random(self._load.seed)
        due, tasks = 0.0, set()
        while (due := due + lot.expovariate(load.rate)) < load.seconds:
            await asyncio.sleep(max(0.0, due - self.now()))
            if self.running >= load.most:
                self.held_back += 1
                continue
            tasks.add(asyncio.create_task(self._once(due)))
        await asyncio.sleep(max(0.0, load.seconds - self.now()))
        self.steady_until = load.seconds
        await asyncio.gather(*tasks)

    async def _once(self, due: float) -> None:
        request = self._client.request("POST", "/v1/chat/completions", self._load.body(len(self.outcomes)))
        outcome = Outcome(due, self.now())
        self.outcomes.append(outcome)
        self.running += 1
        await self._client.call(request, outcome, self.now, self._load.patience_s)
        self.running -= 1

    async def _watch(self) -> None:
        """Notes how late this program wakes up, and tells each second where it stands."""
        told = 0.0
        while True:
            before = self.now()
            await asyncio.sleep(LAG_STEP_S)
            self._lags.append(self.now() - before - LAG_STEP_S)
            if self.now() - told >= 1:
                told = self.now()
                ended = sum(outcome.ended > 0 for outcome in self.outcomes)
                self._tell({"progress": {"seconds": told, "ended": ended, "running": self.running}})
