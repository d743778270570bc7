"""What a generator tells, in figures: checked against a load that was made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from appliance_cli.measure.figures import Level, level, percentile, served, served_rate, spread

LOAD = {"people": 2, "rate": 0.0}


def outcome(due: float, pieces: list[float], **fields: Any) -> dict[str, Any]:
    return {
        "due": due,
        "asked": due,
        "pieces": pieces,
        "ended": pieces[-1] if pieces else due,
        "prompt_tokens": 512,
        "answer_tokens": len(pieces),
        "finish": "length",
        "error": "",
        **fields,
    }


def result(*outcomes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "seconds": 10.0,
        "steady_seconds": 10.0,
        "held_back": 0,
        "cpu_share": 0.1,
        "lags": [0.0],
        "outcomes": list(outcomes),
        **fields,
    }


def test_percentiles_are_interpolated() -> None:
    assert percentile([1, 2, 3, 4], 0.5) == 2.5
    assert percentile([1, 2, 3, 4, 5], 0.95) == pytest.approx(4.8)
    assert spread([]) is None


def test_times_count_from_when_a_request_was_due() -> None:
    measured = level("door", LOAD, result(outcome(1.0, [1.5, 1.7, 1.9, 2.1], asked=1.4)), 1.0)
    assert measured.ttft is not None and measured.ttft.p50 == pytest.approx(0.5)
    assert measured.whole is not None and measured.whole.p50 == pytest.approx(1.1)
    assert measured.late == pytest.approx(0.4)


def test_a_reader_s_speed_leaves_out_the_first_token() -> None:
    measured = level("door", LOAD, result(outcome(0, [1.0, 1.2, 1.4, 1.6])), 1.0)
    assert measured.each == pytest.approx(5)
    assert measured.gap is not None and measured.gap.p99 == pytest.approx(0.2)


def test_two_tokens_in_one_piece_are_counted_as_the_engine_counts_them() -> None:
    measured = level("door", LOAD, result(outcome(0, [1.0, 2.0], answer_tokens=5)), 1.0)
    assert measured.each == pytest.approx(4)
    assert measured.tokens_per_second == pytest.approx(0.5)


def test_what_came_after_the_first_person_was_done_is_not_the_speed_of_all() -> None:
    found = result(outcome(0, [1.0, 2.0]), outcome(0, [1.0, 9.0]), steady_seconds=2.0)
    measured = level("door", LOAD, found, 1.0)
    assert measured.tokens_per_second == pytest.approx(3 / 2)
    assert measured.answers_per_second == pytest.approx(1 / 2)


def test_errors_and_empty_answers_are_told_apart_and_not_in_time() -> None:
    found = result(
        outcome(0, [0.5, 0.6]),
        outcome(0, [], error="HTTP 429: full"),
        outcome(0, []),
        outcome(0, [1.5, 1.6]),
    )
    measured = level("door", LOAD, found, 1.0)
    assert measured.errors == {"HTTP 429: full": 1, "an answer without a token": 1}
    assert (measured.requests, measured.answered) == (4, 2)
    assert measured.in_time == 0.25
    assert not measured.held


def test_what_was_held_back_was_not_served() -> None:
    measured = level("door", {"people": 0, "rate": 2.0}, result(outcome(0, [0.5]), held_back=1), 1.0)
    assert measured.in_time == 0.5 and not measured.held


def crowd(people: int, ttft: float, way: Any = "door", rate: float = 0.0) -> Level:
    return level(way, {"people": people, "rate": rate}, result(outcome(0, [ttft, ttft + 1])), 1.0)


def test_a_box_serves_as_many_as_came_before_the_first_failure() -> None:
    levels = [crowd(4, 0.9), crowd(1, 0.1), crowd(8, 1.2), crowd(16, 0.5), crowd(32, 0.1, "engine")]
    assert served(levels, "door") == (4, True)
    assert served(levels, "engine") == (32, False)
    assert served([crowd(1, 2.0)], "door") == (0, True)


def test_the_same_of_arrivals() -> None:
    levels = [crowd(0, 0.5, rate=1.0), crowd(0, 3.0, rate=2.0), crowd(1, 0.5)]
    assert served_rate(levels, "door") == (1.0, True)


def test_a_rate_at_which_nobody_came_says_nothing() -> None:
    nobody = level("door", {"people": 0, "rate": 0.1}, result(), 1.0)
    assert served_rate([nobody, crowd(0, 0.5, rate=1.0)], "door") == (1.0, False)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cpu_share": 0.8}, "80% of a core"),
        ({"lags": [0.0] * 90 + [0.05] * 10}, "50 ms late"),
        ({"lags": [0.001] * 100}, ""),
    ],
)
def test_a_generator_that_could_not_keep_up_says_so(fields: dict[str, Any], said: str) -> None:
    measured = level("door", LOAD, result(outcome(0, [0.5, 0.51, 0.52]), **fields), 1.0)
    assert said in measured.doubt if said else measured.doubt == ""


def test_lateness_is_judged_by_what_is_measured() -> None:
    slow = level("door", LOAD, result(outcome(0, [0.5, 1.0, 1.5]), lags=[0.02] * 10), 1.0)
    assert slow.doubt == ""  # 20 ms of gaps of 500
