"""Which loads a benchmark runs, in which order, with generators that answer at once or too late."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.compose import containers
from appliance_cli.config.appliance import Appliance
from appliance_cli.host.alone import alone
from appliance_cli.measure import bench, prompts, visitor
from appliance_cli.measure.bench import Case, Measured, _Bench
from appliance_cli.measure.generator.load import Load
from appliance_cli.measure.generators import Generator
from appliance_cli.measure.power import Meter

CASE = Case(512, 256, (1, 4), (), False, 10, ("door", "engine"), 1.0)


class Engine:
    """Answers ``in_time`` people within a second, one more too late; ``busy`` with others' requests."""

    def __init__(self, in_time: int, busy: int = 0) -> None:
        self.in_time, self.busy, self.loads, self.count = in_time, busy, list[Load](), 0

    def ask(self, method: str, path: str, body: Any = None, address: str | None = None) -> tuple[int, str]:
        if path == "/info":
            info = {"model_id": "m", "max_concurrent_requests": 32, "max_total_tokens": 1024}
            return 200, json.dumps(info)
        counters = f'tgi_request_count{{a="b"}} {self.count}\ntgi_batch_current_size {self.busy}\n'
        return 200, counters + "tgi_queue_size 0\n"

    def run(self, load: Load, progress: Any) -> dict[str, Any]:
        self.loads.append(load)
        people = load.people or round(load.rate * 4)
        self.count += people
        ttft = 0.5 if people <= self.in_time else 2.0
        one = {"due": 0, "asked": 0, "pieces": [ttft, ttft + 1], "ended": ttft + 1, "prompt_tokens": 512}
        outcome = {**one, "answer_tokens": 2, "finish": "length", "error": ""}
        progress({"seconds": 1, "ended": 0, "running": people})
        return {
            "seconds": 2.0,
            "steady_seconds": 2.0,
            "held_back": 0,
            "cpu_share": 0.1,
            "lags": [],
            "outcomes": [outcome] * people,
        }


def measured(case: Case, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Measured:
    monkeypatch.setattr(prompts, "single_tokens", lambda _: ["red"])
    monkeypatch.setattr(prompts, "fill_for", lambda *_: 480)
    both = cast(Generator, engine)
    found = _Bench(case, both, both, ("192.0.2.1",), Meter(()), Output()).run()
    engine.loads = engine.loads[1:]  # the one that warms up
    return found


def changed(**fields: Any) -> Case:
    return replace(CASE, **fields)


def test_the_article_s_case_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(99)
    found = measured(CASE, engine, monkeypatch)
    assert [(level.way, level.people) for level in found.levels] == [
        ("door", 1),
        ("engine", 1),
        ("door", 4),
        ("engine", 4),
    ]
    assert found.others == 0 and found.notes == ()
    assert len({load.seed for load in engine.loads}) == 4


def test_a_sweep_ends_with_the_first_that_is_too_late_and_goes_on_to_arrivals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(5)
    found = measured(changed(people=(), sweep=True, ways=("door",)), engine, monkeypatch)
    assert [level.people for level in found.levels if level.people] == [1, 2, 4, 8]
    rates = [level.rate for level in found.levels if level.rate]
    best = max(level.answers_per_second for level in found.levels if level.people)
    assert rates == pytest.approx([best * share for share in (0.25, 0.5, 0.75, 0.9, 1.1)], rel=0.01)
    assert all(load.seconds >= 10 for load in engine.loads)


def test_a_sweep_leaves_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    idle = measured(changed(people=(), sweep=True, ways=("door",)), Engine(999), monkeypatch)
    assert [level.people for level in idle.levels if level.people] == [1, 2, 4, 8, 16, 30]
    busy = measured(changed(people=(), sweep=True, ways=("door",)), Engine(999, busy=3), monkeypatch)
    assert max(level.people for level in busy.levels) == 24
    assert busy.notes == ("3 requests of others were under way at the start: at most 24 at a time",)


def test_more_than_the_engine_takes_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(changed(people=(1, 31)), Engine(99), monkeypatch)
    assert {level.people for level in found.levels} == {1}
    assert found.notes == ("more than 30 at a time are not asked here",)


def test_no_load_fills_the_engine_to_its_last_place(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(99)
    measured(changed(people=(30,), rates=(5.0,), sweep=True), engine, monkeypatch)
    assert {load.most for load in engine.loads} == {30}


def test_what_others_asked_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shared(Engine):
        def run(self, load: Load, progress: Any) -> dict[str, Any]:
            self.count += 7
            return super().run(load, progress)

    found = measured(changed(people=(1,), ways=("door",)), Shared(99), monkeypatch)
    assert found.others == 7 and "others asked 7 times" in found.notes[0]


def test_a_case_that_the_engine_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSetting, match="longer than the engine allows"):
        measured(changed(prompt=900), Engine(9), monkeypatch)


def test_a_second_benchmark_is_refused_before_it_takes_the_first_one_s_key(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_require_ready", lambda _: None)
    monkeypatch.setattr(bench, "docker_client", lambda: None)
    monkeypatch.setattr(containers, "of_project", lambda *_: ())
    monkeypatch.setattr(visitor, "key", lambda *_: pytest.fail("it makes its key"))
    with (
        alone(appliance, "appliance bench", to_be="measured"),
        pytest.raises(HostNotReady, match="being measured"),
    ):
        bench.run(appliance, CASE, None, Output())
