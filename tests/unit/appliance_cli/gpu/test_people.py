"""Speeds against the measured crowds, and what a plan says to people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.gpu import report
from appliance_cli.gpu.planning import GIB, MIB, cards, people, speed
from appliance_cli.gpu.planning.architecture import kv_bytes_per_token
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.planning.plan import Request, make, with_older_kernels
from appliance_cli.gpu.planning.weights import Format
from harness.planned_models import ID_7B, known

MEASURED = json.loads(Path(__file__).with_name("measured_speed.json").read_text(encoding="utf-8"))
PROMPT, ANSWER = MEASURED["prompt"], MEASURED["answer"]
H100 = Card("H100", 24564 * MIB, (9, 0), 0, 0, 3350e9, 989e12)
RTX_4090 = cards.by_name("RTX 4090")


def job(format_: Format = "nf4", *, fast: bool = True) -> speed.Job:
    return speed.Job(known(), format_, fast, kv_bytes_per_token(known()))


def machine(card: Card) -> speed.Machine:
    found = speed.machine(card)
    assert found is not None
    return found


def request(**changes: Any) -> Request:
    return replace(Request(ID_7B, known(), "nf4", "nf4", RTX_4090, fast_nf4=True), **changes)


# --- the card that was measured


@pytest.mark.parametrize("row", MEASURED["crowds"], ids=lambda row: str(row["people"]))
def test_a_crowd_on_the_measured_card_is_as_fast_as_measured(row: dict[str, Any]) -> None:
    own, count = machine(H100), row["people"]
    gap = speed.step(job(), own, count, PROMPT + ANSWER // 2)
    assert 1000 * gap == pytest.approx(row["gap_p50_ms"], rel=0.07)
    together = speed.together(job(), own, count, PROMPT, ANSWER, 8192)
    assert together == pytest.approx(row["tokens_per_second"], rel=0.12)


@pytest.mark.parametrize("row", MEASURED["budgets"], ids=lambda row: str(row["prefill"]))
def test_a_budget_on_the_measured_card(row: dict[str, Any]) -> None:
    own, budget = machine(H100), row["prefill"]
    pause = speed.pause(job(), own, people.LONG_PROMPT, budget)
    assert 1000 * pause == pytest.approx(row["longest_gap_ms"], rel=0.15)
    first = speed.first_token(job(), own, people.LONG_PROMPT, budget)
    assert 1000 * first == pytest.approx(row["long_prompt_first_token_ms"], rel=0.15)
    last = speed.last_first_token(job(), own, 128, PROMPT, ANSWER, budget)
    assert last == pytest.approx(row["last_first_token_s"], rel=0.2)


@pytest.mark.parametrize("row", MEASURED["h200"], ids=lambda row: row["mode"])
def test_the_scaling_meets_another_card_that_was_measured(row: dict[str, Any]) -> None:
    own = machine(cards.by_name("H200"))
    together = speed.together(job(row["mode"]), own, row["people"], PROMPT, ANSWER, 4096)
    assert together == pytest.approx(row["tokens_per_second"], rel=0.1)


def test_the_older_kernels_make_two_slower_than_one() -> None:
    steps = [speed.step(job(fast=False), machine(RTX_4090), rows, 640) for rows in (1, 2)]
    assert 2 / steps[1] < 1 / steps[0]
    assert speed.step(job(), machine(RTX_4090), 2, 640) < 0.5 * steps[1]


def test_no_card_is_faster_than_its_memory() -> None:
    """One answer reads every weight of bf16 for each token."""
    for name in ("RTX 4090", "RTX 3090", "RTX 4070", "A100 80GB"):
        card = cards.by_name(name)
        assert card.bandwidth is not None
        assert 1 / speed.step(job("bf16"), machine(card), 1, 640) < card.bandwidth / (2 * job().elements)


# --- what a plan says


def test_people_are_bounded_by_cache_and_by_graphs() -> None:
    crowd = people.of(make(request()))
    assert (crowd.full, crowd.at_once, crowd.fast) == (30, 128, 128)
    longer = people.of(make(request()), prompt=6000, answer=1000)
    assert longer.at_once == make(request()).kv_tokens // 7000
    assert [each.people for each in longer.crowds] == [1, 4, 16, longer.at_once]
    guessing = people.of(make(request(speculate=3)))
    assert (guessing.fast, guessing.crowds) == (32, ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"card": cards.by_memory(24)}, "the card's bandwidth is not in the table"),
        ({"speculate": 2}, "SPECULATE pays by how much an answer repeats"),
        ({"cuda_graphs": ()}, "without CUDA graphs the PC's processor decides"),
        ({"shards": 2}, "TENSOR_PARALLEL was not measured"),
    ],
)
def test_what_was_not_measured_has_no_speed_and_says_why(changes: dict[str, Any], reason: str) -> None:
    plan = make(request(**changes))
    crowd = people.of(plan)
    assert crowd.crowds == ()
    assert f"not estimated: {reason}" in report.table(plan, crowd)


def test_budgets_trade_pauses_for_cache_and_speed() -> None:
    budgets = people.of(make(request())).budgets
    assert [budget.tokens for budget in budgets] == [2048, 4096, 8192]
    for key in ("pause", "crowd_share"):
        values = [getattr(budget, key) for budget in budgets]
        assert values == sorted(values)
    assert budgets[0].kv_tokens > budgets[1].kv_tokens > budgets[2].kv_tokens


def test_choices_name_what_gives_more() -> None:
    told = {choice.setting: choice for choice in people.choices(make(request(target=16 * GIB)))}
    assert list(told) == ["TARGET_VRAM=all", "KV_CACHE_DTYPE=fp8_e4m3fn", "MODE=bf16"]
    assert told["TARGET_VRAM=all"].plan.fraction == 0.97
    assert "1.14 ×" in told["MODE=bf16"].remark
    settings = [choice.setting for choice in people.choices(make(request(kv_element_bytes=1)))]
    assert settings == ["MODE=bf16"]
    older = [choice.setting for choice in people.choices(make(request(fast_nf4=False)))]
    assert older == ["KV_CACHE_DTYPE=fp8_e4m3fn", "FAST_NF4=1", "MODE=bf16"]
    small = cards.by_name("RTX 4070")
    settings = [choice.setting for choice in people.choices(make(request(card=small)))]
    assert settings == ["KV_CACHE_DTYPE=fp8_e4m3fn"]  # bf16 does not fit


def test_the_report_fits_a_screen_and_says_where_it_comes_from() -> None:
    plan = make(request(target=16 * GIB))
    text = report.table(plan, people.of(plan))
    lines = text.splitlines()
    assert len(lines) <= 42
    assert max(map(len, lines)) <= 126
    assert "Hard ceiling" in text
    assert "an estimate from TGI 3.3.7 on an NVIDIA H100" in text
    assert "43 tokens/s, first token after 820 ms" in text
    assert "(this plan)" in text
    assert "before one waits; the speed holds up to 128" in text
    small = make(request(card=cards.by_name("RTX 4070")))
    assert "the speed holds up to 64" in report.table(small, people.of(small))


def test_missing_kernels_are_counted_where_a_target_is_promised() -> None:
    plan = make(request(target=16 * GIB))
    older = with_older_kernels(plan)
    assert older is not None and plan.used <= 16 * GIB < older.used
    line = f"  older kernels     {older.used / MIB:>7,.0f} MiB  where model-init cannot fetch the fast ones"
    assert line in report.table(plan, people.of(plan))
    assert report.content(plan, people.of(plan))["used_without_fast_kernels"] == older.used
    assert (older.fraction, older.cuda_graphs) == (plan.fraction, plan.cuda_graphs)
    for settled in (make(request(fast_nf4=False)), make(request(mode="bf16", format_="bf16"))):
        assert with_older_kernels(settled) is None
        assert "older kernels" not in report.table(settled, people.of(settled))
        assert report.content(settled, people.of(settled))["used_without_fast_kernels"] is None


def test_json_has_all_of_it() -> None:
    plan = make(request(target=16 * GIB))
    content = json.loads(json.dumps(report.content(plan, people.of(plan))))
    assert content["used_at_most"] <= 16 * GIB < content["hard_ceiling"]
    assert content["cuda_graph_sizes"][-1] == 128
    crowd = content["people"]
    assert {"full", "at_once", "fast", "first_token", "estimate", "compare"} <= set(crowd)
    assert {"people", "each", "together", "last_first_token"} == set(crowd["crowds"][0])
    assert {"tokens", "kv_tokens", "pause", "crowd_share"} == set(crowd["budgets"][0])
    assert content["choices"][0]["setting"] == "TARGET_VRAM=all"


def test_a_mode_that_was_not_measured_says_so() -> None:
    plan = make(request(mode="eetq", format_="eetq"))
    assert "this mode was not measured" in report.table(plan, people.of(plan))
