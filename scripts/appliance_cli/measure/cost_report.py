"""A calculation of costs as a table, as JSON and as a plot."""

from dataclasses import asdict, dataclass
from typing import Any

from appliance_cli.base.tables import table
from appliance_cli.measure import article, cost
from appliance_cli.measure.chart import Chart, Line
from appliance_cli.measure.cost import Comparison, Elsewhere, Own, Tokens


@dataclass(frozen=True)
class Calculation:
    """One's own numbers. ``sources``: where each came from. ``api`` is one of ``elsewhere``, or None."""

    currency: str
    own: Own
    watts: float
    kwh_price: float
    tokens: Tokens | None
    elsewhere: tuple[Elsewhere, ...]
    api: Elsewhere | None
    sources: dict[str, str]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return tuple(cost.compare(self.own, each) for each in self.elsewhere)

    @property
    def for_a_million(self) -> float | None:
        return None if self.tokens is None else cost.for_a_million(self.own, self.tokens)


def content(calculation: Calculation) -> dict[str, Any]:
    """Everything, unrounded."""
    own, tokens = calculation.own, calculation.tokens
    return {
        "currency": calculation.currency,
        "purchase": own.purchase,
        "years": own.years,
        "watts": calculation.watts,
        "kwh_price": calculation.kwh_price,
        "power_month": own.power_month,
        "other_month": own.other_month,
        "total": own.total,
        "month": own.month,
        "tokens_a_day": None if tokens is None else asdict(tokens),
        "for_a_million_tokens": calculation.for_a_million,
        "against": [
            {
                "name": each.elsewhere.name,
                "month": each.elsewhere.month,
                "total": each.total,
                "saved": each.saved,
                "saved_share": each.saved_share,
                "break_even_months": each.break_even,
                "break_even_month": each.break_even_month,
            }
            for each in calculation.comparisons
        ],
        "tokens_a_day_to_break_even": _tokens_to_break_even(calculation),
        "sources": calculation.sources,
    }


def text(calculation: Calculation) -> str:
    """The sum, the tokens, and each comparison."""
    own, unit = calculation.own, calculation.currency
    months = f"{own.months:g} months"
    kwh = f"{calculation.watts:,.0f} W on average, {calculation.kwh_price:g} a kWh"
    lines = [
        ("Purchase", own.purchase, calculation.sources["purchase"]),
        (f"Electricity, {months}", own.power_month * own.months, f"{kwh} ({calculation.sources['watts']})"),
        *([(f"Other, {months}", own.other_month * own.months, "given")] if own.other_month else []),
        (f"Own box, {own.years:g} years", own.total, f"{own.month:,.2f} a month"),
    ]
    parts = [f"{name:<28}{amount:>12,.0f} {unit}  {note}" for name, amount, note in lines]
    parts += _tokens(calculation)
    if calculation.elsewhere:
        parts += ["", _against(calculation)]
    return "\n".join(parts)


def article_text() -> str:
    """The article's figures beside those that its own numbers give, CNY."""
    rows = [(each.what, each.said, each.right, each.why) for each in article.sums()]
    own, cloud = article.OWN, article.CLOUD
    head = (
        f"The article: {own.purchase:,.0f} CNY once and {own.power_month:,.0f} a month for electricity, "
        f"against {cloud.month:,.0f} a month for {cloud.name}"
    )
    titles = ("", "IT SAYS", "ITS NUMBERS GIVE", "")
    return f"{head}\n{table(titles, rows, numbers=titles[1:3])}"


def article_content() -> dict[str, Any]:
    """The same for programs."""
    right = article.comparison()
    return {
        "currency": "CNY",
        "total": article.OWN.total,
        "said_total": article.SAID_TOTAL,
        "against_total": right.total,
        "break_even_months": right.break_even,
        "sums": [asdict(each) for each in article.sums()],
    }


def plot(calculation: Calculation) -> Chart:
    """What has been spent by each month's end."""
    last = round(calculation.own.months)
    months = range(0, last + 1)
    own = Line("own box", tuple((month, calculation.own.until(month)) for month in months), dots=False)
    others = (
        Line(each.name, tuple((month, each.month * month) for month in months), dots=False)
        for each in calculation.elsewhere
    )
    return Chart("Spent by then", "months", calculation.currency, (own, *others))


def _tokens(calculation: Calculation) -> list[str]:
    tokens, unit = calculation.tokens, calculation.currency
    if tokens is None:
        return [f"Tokens a day: {calculation.sources['tokens']}"]
    price = calculation.for_a_million
    day = f"{tokens.prompt:,.0f} of prompts, {tokens.generated:,.0f} of answers"
    lines = [f"Tokens a day: {day} ({calculation.sources['tokens']})"]
    if price is not None:
        lines.append(f"{price:,.2f} {unit} for a million tokens, prompts and answers together")
    if (enough := _tokens_to_break_even(calculation)) is not None:
        lines.append(f"Dearer than that API below {enough:,.0f} tokens a day, cheaper above")
    return lines


def _tokens_to_break_even(calculation: Calculation) -> float | None:
    if calculation.tokens is None or calculation.api is None:
        return None
    return cost.tokens_to_break_even(calculation.own, calculation.tokens, calculation.api)


def _against(calculation: Calculation) -> str:
    years = f"{calculation.own.years:g} YEARS"
    rows = []
    for each in calculation.comparisons:
        share = "" if each.saved_share is None else f" ({each.saved_share:.0%})"
        month = each.break_even_month
        within = "" if month is None or month <= calculation.own.months else ", after its years"
        when = "never" if each.break_even is None else f"month {month} ({each.break_even:.1f}){within}"
        rows.append(
            (
                each.elsewhere.name,
                f"{each.elsewhere.month:,.2f}",
                f"{each.total:,.0f}",
                f"{each.saved:,.0f}{share}",
                when,
            )
        )
    titles = ("AGAINST", "A MONTH", years, "SAVED", "BREAK-EVEN")
    return table(titles, rows, numbers=titles[1:4])
