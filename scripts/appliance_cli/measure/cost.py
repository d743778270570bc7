"""What a box of one's own costs over its years, and what the same would cost elsewhere. Pure arithmetic.

Money is in one currency, whichever. A year has 365 days and 12 equal months. Nothing is discounted.
"""

import math
from dataclasses import dataclass

MONTHS, DAYS = 12, 365
DAYS_A_MONTH = DAYS / MONTHS
HOURS_A_MONTH = 24 * DAYS_A_MONTH
MILLION = 1_000_000


@dataclass(frozen=True)
class Tokens:
    """Of an average day."""

    prompt: float
    generated: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.prompt + self.generated


@dataclass(frozen=True)
class Draw:
    """What the machine draws, in watts. ``busy_share`` of the day its card works and draws ``busy``."""

    idle: float
    busy: float
    busy_share: float
    host: float

    @property
    def average(self) -> float:
        """Round the clock."""
        return self.host + self.idle + (self.busy - self.idle) * self.busy_share


def busy_share(generated_a_day: float, tokens_a_second: float) -> float:
    """The share of a day in which that many tokens are written at that speed."""
    return min(1.0, generated_a_day / tokens_a_second / 86_400) if tokens_a_second > 0 else 0.0


@dataclass(frozen=True)
class Own:
    """A box of one's own. ``power_month``: its electricity; ``other_month``: whatever else it costs."""

    purchase: float
    power_month: float
    years: float
    other_month: float = 0.0

    @property
    def months(self) -> float:
        """Of its life."""
        return self.years * MONTHS

    @property
    def running_month(self) -> float:
        """What a month costs once it is there."""
        return self.power_month + self.other_month

    @property
    def total(self) -> float:
        """Over its life."""
        return self.purchase + self.running_month * self.months

    @property
    def month(self) -> float:
        """A month's share of everything."""
        return self.total / self.months

    def until(self, month: float) -> float:
        """Spent by then."""
        return self.purchase + self.running_month * month


@dataclass(frozen=True)
class Elsewhere:
    """The same somewhere else: what a month of it costs."""

    name: str
    month: float


@dataclass(frozen=True)
class Comparison:
    """One's own box against something else.

    ``break_even``: months until both have cost the same, None: never.
    """

    elsewhere: Elsewhere
    total: float
    saved: float
    saved_share: float | None
    break_even: float | None

    @property
    def break_even_month(self) -> int | None:
        """The month, counted from 1, at whose end one's own box has cost no more."""
        # why: 13.000000001 is what 13 becomes by dividing
        return None if self.break_even is None else max(1, math.ceil(round(self.break_even, 9)))


def power_month(watts: float, kwh_price: float) -> float:
    """A month's electricity of an average draw."""
    return watts / 1000 * HOURS_A_MONTH * kwh_price


def watts_of(power_month: float, kwh_price: float) -> float:
    """The average draw that a month's electricity stands for."""
    return power_month / kwh_price / HOURS_A_MONTH * 1000


def api_month(tokens: Tokens, prompt_price: float, generated_price: float) -> float:
    """What an API takes for a month of such days; prices for a million tokens."""
    day = tokens.prompt * prompt_price + tokens.generated * generated_price
    return day / MILLION * DAYS_A_MONTH


def compare(own: Own, elsewhere: Elsewhere) -> Comparison:
    """Over the years of one's own box."""
    total = elsewhere.month * own.months
    saved = total - own.total
    left = elsewhere.month - own.running_month
    return Comparison(
        elsewhere=elsewhere,
        total=total,
        saved=saved,
        saved_share=saved / total if total else None,
        break_even=own.purchase / left if left > 0 else None,
    )


def for_a_million(own: Own, tokens: Tokens) -> float | None:
    """What a million tokens cost on one's own box, prompts and answers together; None without tokens."""
    everything = tokens.total * DAYS_A_MONTH * own.months
    return own.total / everything * MILLION if everything else None


def tokens_to_break_even(own: Own, tokens: Tokens, api: Elsewhere) -> float | None:
    """How many tokens a day, of the same mixture, cost as much over the years at the API."""
    return tokens.total * own.total / (api.month * own.months) if api.month else None
