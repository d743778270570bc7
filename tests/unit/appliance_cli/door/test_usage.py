"""What nginx counted → rows, totals, a table, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from subprocess import CompletedProcess

import pytest

from appliance_cli.base.errors import StepFailed
from appliance_cli.door import usage

Cli = Callable[..., CompletedProcess[str]]
COUNTED = {
    "2026-11-22|key:ci|requests": {"value": 1200},
    "2026-11-22|key:ci|prompt_tokens": {"value": 30_000},
    "2026-11-22|key:ci|generated_tokens": {"value": 4_000},
    "2026-11-21|user:alice|requests": {"value": 3},
    "2026-11-21|user:alice|generated_tokens": {"value": 50.0},
    "2026-11-21|key:ci|refused": {"value": 2},
    "2026-11-01|-|requests": {"value": 1},
    "2026-11-22|key:ci|of_a_later_version": {"value": 9},
    "something else": {"value": 9},
    "2026-11-22|key:x|requests": 9,
}
ROWS = usage.parse(json.dumps(COUNTED))


def test_rows_come_newest_first_and_then_by_account() -> None:
    assert [(row.day.isoformat(), row.account) for row in ROWS] == [
        ("2026-11-22", "key:ci"),
        ("2026-11-21", "key:ci"),
        ("2026-11-21", "user:alice"),
        ("2026-11-01", "-"),
    ]
    assert ROWS[0].counts == usage.Counts(1200, 30_000, 4_000, 0)


def test_only_the_last_days_are_kept_today_included() -> None:
    first = usage.first_day(date(2026, 11, 22), 2)
    assert first == date(2026, 11, 21)
    assert [row.day.day for row in usage.since(ROWS, first)] == [22, 21, 21]


def test_the_report_adds_up_by_account_and_over_all() -> None:
    report = usage.report(ROWS)
    assert report["days"][0] == {
        "day": "2026-11-22",
        "account": "key:ci",
        "requests": 1200,
        "prompt_tokens": 30_000,
        "generated_tokens": 4_000,
        "refused": 0,
    }
    assert report["accounts"]["key:ci"]["refused"] == 2
    assert report["accounts"]["user:alice"]["requests"] == 3
    assert report["total"] == {
        "requests": 1204, "prompt_tokens": 30_000, "generated_tokens": 4_050, "refused": 2,
    }  # fmt: skip


def test_the_table_ends_with_the_totals() -> None:
    lines = [line.split() for line in usage.text(ROWS).splitlines()]
    assert lines[0] == ["DAY", "ACCOUNT", "REQUESTS", "PROMPT", "TOKENS", "GENERATED", "TOKENS", "REFUSED"]
    assert lines[1] == ["2026-11-22", "key:ci", "1,200", "30,000", "4,000", "0"]
    assert lines[-3:] == [
        ["total", "key:ci", "1,200", "30,000", "4,000", "2"],
        ["total", "user:alice", "3", "0", "50", "0"],
        ["total", "all", "1,204", "30,000", "4,050", "2"],
    ]


@pytest.mark.parametrize("text", ["", "{}"])
def test_before_anything_is_counted_there_is_nothing(text: str) -> None:
    assert usage.parse(text) == []
    assert usage.report([])["total"]["requests"] == 0


@pytest.mark.parametrize(("text", "found"), [("{", "Expecting property name"), ("[]", "a list")])
def test_counters_that_are_no_json_object_are_a_failure(text: str, found: str) -> None:
    with pytest.raises(StepFailed, match="The usage cannot be read") as failure:
        usage.parse(text)
    assert found in failure.value.found


def test_months_and_years_of_what_is_older_are_rows_of_their_first_day() -> None:
    counted = {f"{when}|key:ci|requests": {"value": 7} for when in ("2026-10", "2025", "2026-11-02")}
    rows = usage.parse(json.dumps(counted))
    assert [(row.day.isoformat(), row.name) for row in rows] == [
        ("2026-11-02", "2026-11-02"),
        ("2026-10-01", "2026-10"),
        ("2025-01-01", "2025"),
    ]
    assert [entry["day"] for entry in usage.report(rows)["days"]] == ["2026-11-02", "2026-10", "2025"]
    assert usage.report(rows)["total"]["requests"] == 21
