"""A benchmark as people and programs read it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.measure import bench_report
from appliance_cli.measure.bench import Case, Measured
from appliance_cli.measure.expected import Beside
from appliance_cli.measure.figures import Level, Range, Spread

CASE = Case(512, 256, (1, 4), (), False, 20, ("door",), 1.0)
FAST = Spread(0.2, 0.3, 0.4, 0.25)
ONE = Level(
    way="door", people=1, rate=0.0, requests=5, answered=5, held_back=0, errors={}, seconds=20.0, ttft=FAST,
    gap=Spread(0.01, 0.02, 0.03, 0.01), per_token=Spread(0.01, 0.02, 0.03, 0.01), whole=Spread(3, 4, 5, 3),
    tokens_per_second=90.0, each=100.0, answers_per_second=0.4, in_time=1.0, prompt_tokens=Range(512, 512),
    answer_tokens=Range(250, 256), cpu_share=0.1, lag=0.001, late=0.0,
)  # fmt: skip
FOUR = replace(ONE, people=4, tokens_per_second=300.0, each=80.0, in_time=0.5)
CARD = Beside("planned for 1 on RTX 4090", 0.15, 110, 105)


def measured(*levels: Level, **fields: Any) -> Measured:
    return Measured(CASE, {"model_id": "Qwen/Qwen2.5-7B-Instruct"}, levels, 0, (), 60.0, **fields)


def content(now: datetime, *levels: Level) -> dict[str, Any]:
    text = json.dumps(bench_report.content(measured(*levels), (CARD,), "1.0.0", now))
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_stands_beside_the_article_and_the_plan() -> None:
    lines = bench_report.text(measured(ONE, FOUR), (CARD,)).splitlines()
    rows = {line[:40].strip(): line[40:].split() for line in lines}
    text = "\n".join(lines)
    assert "820 ms" in text and "under 300 ms" in text and "120+" in text and " 43 " in text
    assert any("planned for 1 on RTX 4090" in name for name in rows)
    assert "This box serves 1 person at a time with a first token under 1 s, through nginx" in text
    assert "250 to 256" in text


def test_more_may_be_served_than_was_tried() -> None:
    assert "serves 1 or more people at a time" in bench_report.text(measured(ONE), ())


def test_errors_doubts_and_what_was_held_back_are_told() -> None:
    bad = replace(ONE, errors={"HTTP 429: full": 3}, held_back=2, cpu_share=0.9)
    text = bench_report.text(measured(bad), ())
    assert "3 × HTTP 429: full (1 person, through nginx)" in text
    assert "2 not asked, the engine was full" in text
    assert "Not to be relied on: the generator took 90% of a core" in text
    assert "serves 0 people" in text


def test_two_runs_are_compared_level_by_level(now: datetime) -> None:
    faster = replace(ONE, ttft=Spread(0.1, 0.15, 0.2, 0.1), tokens_per_second=180.0)
    text = bench_report.against(content(now, faster, FOUR), content(now, ONE), "old.json")
    (row,) = [line for line in text.splitlines() if line.startswith("nginx")]
    assert row.split()[5:10] == ["2.00", "2.00", "1.00", "1.00", "2.00"]


def test_runs_with_nothing_in_common(now: datetime) -> None:
    assert "no load of this run" in bench_report.against(content(now, ONE), content(now, FOUR), "old.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 7}', None])
def test_another_file_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "old.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadSetting, match="--against"):
        bench_report.read(file)


def test_its_own_json_is_read_again(tmp_path: Path, now: datetime) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(content(now, ONE)))
    assert bench_report.read(file)["serves"]["door"]["people"] == 1


def test_plots_have_what_was_measured_and_the_article() -> None:
    charts = bench_report.plots(measured(ONE, FOUR), (CARD,))
    assert set(charts) == {"first-token-by-people.png", "speed-by-people.png"}
    speed = {line.name: line for line in charts["speed-by-people.png"].lines}
    assert speed["all together, through nginx"].points == ((1, 90.0), (4, 300.0))
    assert {line.level for line in speed.values()} == {None, 43, 120}
