"""Costs: the article's sums, and whether the arithmetic agrees with itself for any numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance_cli.measure import article, cost
from appliance_cli.measure.cost import Draw, Elsewhere, Own, Tokens, compare

PRICES = st.floats(0.01, 1e6)


def test_the_article_s_table_by_its_own_numbers() -> None:
    assert article.OWN.total == 14_080  # it says 13,090: three months' electricity, not 36
    right = article.comparison()
    assert right.total == 64_800
    assert right.break_even == pytest.approx(13_000 / 1_770)
    assert right.break_even_month == 8
    assert right.saved_share == pytest.approx(0.7827, abs=1e-4)
    assert article.OWN.month == pytest.approx(391.11, abs=0.01)


def test_each_of_its_figures_that_is_off_says_why() -> None:
    sums = {each.what: each for each in article.sums()}
    off = {what for what, each in sums.items() if each.said not in ("-", each.right)}
    assert off == {"own box, three years", "own box, a month", "saved", "saved, in its title"}
    assert all(sums[what].why for what in off)
    assert "3 months of electricity" in sums["own box, three years"].why
    assert "361" in sums["own box, a month"].why


def test_electricity_of_a_month() -> None:
    assert cost.power_month(1000, 1.0) == pytest.approx(730)  # 8,760 hours a year
    assert cost.watts_of(30, 0.6) == pytest.approx(68.49, abs=0.01)


@given(watts=st.floats(1, 2000), price=PRICES)
def test_draw_and_electricity_are_each_other_s_inverse(watts: float, price: float) -> None:
    assert cost.watts_of(cost.power_month(watts, price), price) == pytest.approx(watts)


def test_the_average_draw_is_between_idle_and_busy() -> None:
    assert cost.busy_share(8_640_000, 1000) == pytest.approx(0.1)
    assert Draw(idle=20, busy=320, busy_share=0.1, host=60).average == pytest.approx(110)
    assert cost.busy_share(1e12, 1000) == 1.0  # more than a day has
    assert cost.busy_share(1000, 0) == 0.0


def test_an_api_s_month() -> None:
    tokens = Tokens(2_000_000, 1_000_000)
    assert cost.api_month(tokens, 2, 6) == pytest.approx(10 * 365 / 12)


def test_a_million_tokens() -> None:
    own = Own(purchase=12_000, power_month=0, years=1)
    assert cost.for_a_million(own, Tokens(0, 1_000_000)) == pytest.approx(12_000 / 365)
    assert cost.for_a_million(own, Tokens(0, 0)) is None


def test_what_never_pays() -> None:
    dear = compare(Own(13_000, 100, 3), Elsewhere("api", 100))
    assert dear.break_even is None and dear.break_even_month is None and dear.saved < 0
    free = compare(Own(13_000, 100, 3), Elsewhere("free", 0))
    assert free.saved_share is None


def test_what_pays_at_a_month_s_very_end_pays_in_that_month() -> None:
    assert compare(Own(0.3, 0, 1), Elsewhere("api", 0.1)).break_even_month == 3
    assert compare(Own(0, 0, 1), Elsewhere("api", 1)).break_even_month == 1


@given(
    purchase=PRICES,
    power=st.floats(0, 1000),
    years=st.floats(0.1, 20),
    month=PRICES,
)
def test_at_break_even_both_have_cost_the_same(
    purchase: float, power: float, years: float, month: float
) -> None:
    own = Own(purchase, power, years)
    found = compare(own, Elsewhere("x", month))
    assert own.until(own.months) == pytest.approx(own.total)
    assert found.saved == pytest.approx(found.total - own.total)
    if found.break_even is None:
        assert month <= own.running_month
        return
    # subtraction of nearly equal prices leaves few digits
    if month - power > 1e-3 * month:
        assert own.until(found.break_even) == pytest.approx(month * found.break_even, rel=1e-6)
        assert (found.saved >= -1e-6 * found.total) == (found.break_even <= own.months * (1 + 1e-6))


@given(prompt=st.floats(1, 1e9), generated=st.floats(1, 1e9), price_in=PRICES, price_out=PRICES)
def test_at_so_many_tokens_the_api_costs_as_much(
    prompt: float, generated: float, price_in: float, price_out: float
) -> None:
    own, tokens = Own(13_000, 30, 3), Tokens(prompt, generated)
    api = Elsewhere("api", cost.api_month(tokens, price_in, price_out))
    enough = cost.tokens_to_break_even(own, tokens, api)
    assert enough is not None
    factor = enough / tokens.total
    same = Tokens(prompt * factor, generated * factor)
    assert cost.api_month(same, price_in, price_out) * own.months == pytest.approx(own.total)
