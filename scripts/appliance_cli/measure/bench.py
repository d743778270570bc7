"""Runs a benchmark on the running appliance: the article's case, or a sweep until first tokens come too late.

Decides what is asked, how often and in which order; generators ask, figures.py reckons. Goes on beside people
who use the appliance, and says how much they did meanwhile.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output, Ticker, duration
from appliance_cli.compose import containers
from appliance_cli.compose.client import docker_client
from appliance_cli.config.appliance import Appliance
from appliance_cli.host.alone import alone
from appliance_cli.measure import figures, generators, power, prompts, visitor
from appliance_cli.measure.figures import WAYS, Level, Way
from appliance_cli.measure.generator.load import Load
from appliance_cli.measure.generators import Generator
from appliance_cli.measure.power import Meter
from appliance_cli.stack import watch
from appliance_cli.stack.figures import parse, values

ARTICLE_PEOPLE = (1, 4)
SHARES_OF_BEST = (0.25, 0.5, 0.75, 0.9, 1.1)
"""Arrivals of a sweep, as shares of the answers a second that waiting people got."""
LEAST_ARRIVALS, MOST_TIMES = 10, 5
"""A rate is measured until so many came on average, but at most so many times as long as was asked for."""
LEFT_TO_OTHERS, KEPT_FREE = 4, 16
"""One place in so many stays free where others are being answered, and where nobody is."""
KEY_WITHIN_S = 15.0


@dataclass(frozen=True)
class Case:
    """What is to be measured. ``limit_s``: within which a first token is in time."""

    prompt: int
    answer: int
    people: tuple[int, ...]
    rates: tuple[float, ...]
    sweep: bool
    seconds: float
    ways: tuple[Way, ...]
    limit_s: float


@dataclass(frozen=True)
class Measured:
    """What was found. ``others``: requests of other people meanwhile; ``engine`` is TGI's /info."""

    case: Case
    engine: dict[str, Any]
    levels: tuple[Level, ...]
    others: int
    notes: tuple[str, ...]
    seconds: float


def run(appliance: Appliance, case: Case, key: str | None, output: Output) -> Measured:
    """Measure the running appliance.

    Raises:
        BadSetting: the case does not fit what the engine takes.
        HostNotReady: another benchmark measures it.
        StepFailed: it is not ready, or refuses.
    """
    _require_ready(appliance)
    found = containers.of_project(docker_client(), appliance.project)
    engines = sorted({container.service for container in found if containers.is_engine(container.service)})
    output.phase("Preparing (people may go on using the appliance)")
    with ExitStack() as stack:
        # why: two at once measure each other, and take each other's key away
        stack.enter_context(alone(appliance, "appliance bench", to_be="measured"))
        own_key = stack.enter_context(visitor.key(appliance, key))
        door = stack.enter_context(generators.on_the_host(appliance, own_key))
        engine, addresses = stack.enter_context(generators.beside_the_engine(appliance, engines))
        _wait_for_key(door)
        meter = Meter(power.cards_of(found))
        return _Bench(case, door, engine, addresses, meter, output).run()


class _Bench:
    """One benchmark under way."""

    def __init__(
        self,
        case: Case,
        door: Generator,
        engine: Generator,
        addresses: tuple[str, ...],
        meter: Meter,
        output: Output,
    ) -> None:
        self._case, self._output, self._engine, self._addresses = case, output, engine, addresses
        self._generators: dict[Way, Generator] = {"door": door, "engine": engine}
        self._measuring_since = 0.0
        self._levels: list[Level] = []
        self._notes: list[str] = []
        self._asked = 0
        self._meter = meter

    def run(self) -> Measured:
        """All of it."""
        status, text = self._engine.ask("GET", "/info")
        info = json.loads(text) if status == 200 else {}
        most = self._most(info)
        load = self._prepared(str(info.get("model_id") or "tgi"), most)
        before = self._counted()
        began = self._measuring_since = time.monotonic()
        self._output.phase(f"Measuring {self._case.prompt} tokens in, {self._case.answer} out")
        with Ticker(self._output) as ticker:
            for level in self._loads(load, most):
                self._measure(level, ticker)
        others = max(0, self._counted() - before - self._asked)
        if others:
            self._notes.append(f"meanwhile others asked {others} times: their answers are in these times")
        took = time.monotonic() - began
        return Measured(self._case, info, tuple(self._levels), others, tuple(self._notes), took)

    def _most(self, info: dict[str, Any]) -> int:
        """How many may be asked at a time; refuses a case that the engine would."""
        longest = info.get("max_total_tokens")
        if longest and self._case.prompt + self._case.answer > longest:
            raise BadSetting(
                "The case is longer than the engine allows",
                expected=f"--prompt and --answer of at most {longest} tokens together (MAX_TOTAL_TOKENS)",
                found=f"{self._case.prompt} and {self._case.answer}",
                remedy="ask for less, or raise MAX_TOTAL_TOKENS in .env and run ./scripts/appliance up",
            )
        most = int(info.get("max_concurrent_requests") or 128) * len(self._addresses)
        busy = int(self._metric("tgi_batch_current_size") + self._metric("tgi_queue_size"))
        # why: who comes while this fills the engine must find a place
        left = max(1, most - most // (LEFT_TO_OTHERS if busy else KEPT_FREE))
        if busy:
            self._notes.append(
                f"{busy} requests of others were under way at the start: at most {left} at a time"
            )
        return left

    def _prepared(self, model: str, most: int) -> Load:
        load = Load(
            model=model,
            words=prompts.single_tokens(self._engine),
            fill=0,
            before=prompts.BEFORE,
            question=prompts.QUESTION,
            answer_tokens=self._case.answer,
            seconds=self._case.seconds,
            seed=secrets.randbits(32),
            most=most,
        )
        # why: through the way that is measured, so that a refusal shows before anything is
        with self._output.step(f"Prompts of exactly {self._case.prompt} tokens, and one answer to warm up"):
            load = replace(load, fill=prompts.fill_for(self._generators["door"], load, self._case.prompt))
            self._generators["door"].run(replace(load, people=1, seconds=0), lambda _: None)
        return load

    def _loads(self, load: Load, most: int) -> Iterator[Load]:
        """The loads, in their order; a sweep decides by what was measured."""
        people = [number for number in self._case.people if number <= most]
        if len(people) < len(self._case.people):
            self._notes.append(f"more than {most} at a time are not asked here")
        for number in people:
            yield replace(load, people=number, least=2)
        if self._case.sweep:
            yield from self._more_people(load, most)
        rates = self._case.rates or (self._rates() if self._case.sweep else ())
        for rate in rates:
            seconds = min(max(load.seconds, LEAST_ARRIVALS / rate), MOST_TIMES * load.seconds)
            yield replace(load, rate=rate, seconds=seconds)

    def _more_people(self, load: Load, most: int) -> Iterator[Load]:
        measured = {each.people for each in self._levels}
        number = 1
        while number <= most and not self._too_late():
            if number not in measured:
                yield replace(load, people=number, least=2)
            number = most if number < most < number * 2 else number * 2

    def _too_late(self) -> bool:
        return all(figures.served(self._levels, way)[1] for way in self._case.ways)

    def _rates(self) -> tuple[float, ...]:
        best = max((each.answers_per_second for each in self._levels), default=0.0)
        return tuple(float(f"{best * share:.3g}") for share in SHARES_OF_BEST if best)

    def _measure(self, load: Load, ticker: Ticker) -> None:
        for way in self._case.ways:
            load = replace(load, seed=secrets.randbits(32))
            name = f"{load.people} at a time" if load.people else f"{load.rate:.3g} a second"
            show = self._shower(ticker, f"{name}, {WAYS[way]}")
            with self._meter.measuring() as draw:
                result = self._generators[way].run(load, show)
            level = figures.level(way, vars(load), result, self._case.limit_s)
            self._levels.append(replace(level, watts=draw.watts))
            self._asked += sum(not each["error"].startswith("HTTP 4") for each in result["outcomes"])

    def _shower(self, ticker: Ticker, title: str) -> Callable[[dict[str, Any]], None]:
        loads = (len(self._case.people) + len(self._case.rates)) * len(self._case.ways)
        begun = len(self._levels)

        def show(progress: dict[str, Any]) -> None:
            # why: how long a load takes to end after its time is known only of those that have
            each = (time.monotonic() - self._measuring_since - progress["seconds"]) / begun if begun else 0.0
            left = max(each, self._case.seconds) * (loads - begun) - progress["seconds"]
            about = "" if self._case.sweep else f", about {duration(max(1.0, left))} left"
            detail = f"{progress['ended']} answered, {progress['running']} under way{about}"
            ticker.show(title, detail, begun, None if self._case.sweep else loads)

        return show

    def _counted(self) -> int:
        return round(self._metric("tgi_request_count"))

    def _metric(self, name: str) -> float:
        """A figure of the engines' own, all together."""
        total = 0.0
        for address in self._addresses:
            _, text = self._engine.ask("GET", "/metrics", address=address)
            series = parse(text)
            total += sum(values(series, name) + values(series, f"{name}_total"))
        return total


def _require_ready(appliance: Appliance) -> None:
    status = watch.fetch_status(appliance.url)
    if status is None or status["state"] != "ready":
        raise StepFailed(
            "Only an appliance that answers can be measured",
            expected="state ready",
            found="no answer" if status is None else str(status["state"]),
            remedy=appliance.command("up"),
        )


def _wait_for_key(door: Generator) -> None:
    """Until nginx knows the key; what refuses it for another reason is told by the first question."""
    deadline = time.monotonic() + KEY_WITHIN_S
    while door.ask("GET", "/info")[0] == 401 and time.monotonic() < deadline:
        time.sleep(0.2)
