"""What a load came to: percentiles, tokens a second, goodput, and whether the generator could keep up. Pure.

Seconds and tokens. Percentiles are interpolated as NumPy does it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Way = Literal["door", "engine"]
WAYS: dict[Way, str] = {"door": "through nginx", "engine": "straight to the engine"}
SHARE_IN_TIME = 0.95
"""Of the answers, that have to begin in time for a box to serve so many people."""
BUSY_CORE, LATE_S, LATE_SHARE = 0.7, 0.005, 0.1


@dataclass(frozen=True)
class Spread:
    """Percentiles of a measure."""

    p50: float
    p95: float
    p99: float
    mean: float


@dataclass(frozen=True)
class Range:
    """The least and the most."""

    least: int
    most: int


@dataclass(frozen=True)
class Level:
    """One load, measured: so many ``people``, or ``rate`` requests a second where that is not 0.

    ``ttft``: from when a request was due to its first piece. ``gap``: between two pieces. ``per_token``: of
    each answer the mean between its first and its last. ``whole``: to its end. ``tokens_per_second``: all
    answers together, while all of the load ran; ``each``: what one reader sees, the median. ``in_time``: the
    share of all requests with a first token within the limit. ``lag``, ``late``: how much too late the
    generator woke and asked, 99th percentiles; ``cpu_share`` of one core.
    """

    way: Way
    people: int
    rate: float
    requests: int
    answered: int
    held_back: int
    errors: dict[str, int]
    seconds: float
    ttft: Spread | None
    gap: Spread | None
    per_token: Spread | None
    whole: Spread | None
    tokens_per_second: float
    each: float | None
    answers_per_second: float
    in_time: float
    prompt_tokens: Range | None
    answer_tokens: Range | None
    cpu_share: float
    lag: float
    late: float
    watts: float | None = None

    @property
    def name(self) -> str:
        """The load in words."""
        if self.people:
            return f"{self.people} {'person' if self.people == 1 else 'people'}"
        return f"{self.rate:.3g} a second"

    @property
    def held(self) -> bool:
        """Whether it was served in time: nobody refused, and SHARE_IN_TIME of the first tokens within it."""
        return not self.errors and not self.held_back and self.in_time >= SHARE_IN_TIME

    @property
    def doubt(self) -> str:
        """Why the generator's own times are not to be trusted; "" when they are."""
        if self.cpu_share > BUSY_CORE:
            return f"the generator took {self.cpu_share:.0%} of a core: it may have been the bottleneck"
        gap = self.gap.p50 if self.gap else 0.0
        if max(self.lag, self.late) > max(LATE_S, LATE_SHARE * gap):
            worst = max(self.lag, self.late) * 1000
            return f"the generator woke {worst:.0f} ms late: this machine was busy, or it is the bottleneck"
        return ""


def level(way: Way, load: Mapping[str, Any], result: Mapping[str, Any], limit_s: float) -> Level:
    """A generator's result in figures. ``limit_s``: within which a first token is in time."""
    outcomes: Sequence[Mapping[str, Any]] = result["outcomes"]
    good = [each for each in outcomes if not each["error"] and each["pieces"]]
    wrong = Counter(each["error"] or "an answer without a token" for each in outcomes if each not in good)
    ttft = [each["pieces"][0] - each["due"] for each in good]
    per_token = [pace for each in good if (pace := _per_token(each))]
    steady = result["steady_seconds"]
    paces = spread(per_token)
    return Level(
        way=way,
        people=load["people"],
        rate=load["rate"],
        requests=len(outcomes),
        answered=len(good),
        held_back=result["held_back"],
        errors=dict(wrong),
        seconds=result["seconds"],
        ttft=spread(ttft),
        gap=spread(_gaps(good)),
        per_token=paces,
        whole=spread([each["ended"] - each["due"] for each in good]),
        tokens_per_second=sum(_tokens_until(each, steady) for each in good) / steady if steady else 0.0,
        each=1 / paces.p50 if paces else None,
        answers_per_second=sum(each["ended"] <= steady for each in good) / steady if steady else 0.0,
        in_time=sum(each <= limit_s for each in ttft) / max(1, len(outcomes) + result["held_back"]),
        prompt_tokens=_range(each["prompt_tokens"] for each in good),
        answer_tokens=_range(each["answer_tokens"] for each in good),
        cpu_share=result["cpu_share"],
        lag=_p99(result["lags"]),
        late=_p99([each["asked"] - each["due"] for each in outcomes]),
    )


def spread(values: Sequence[float]) -> Spread | None:
    """Percentiles; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    p50, p95, p99 = (percentile(ordered, share) for share in (0.5, 0.95, 0.99))
    return Spread(p50, p95, p99, sum(ordered) / len(ordered))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values, between the two nearest."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def served(levels: Iterable[Level], way: Way) -> tuple[int, bool]:
    """How many people were served in time, every smaller number too, and whether more were tried in vain."""
    best = 0
    own = [each for each in levels if each.way == way and each.people]
    for each in sorted(own, key=lambda level: level.people):
        if not each.held:
            return best, True
        best = each.people
    return best, False


def served_rate(levels: Iterable[Level], way: Way) -> tuple[float, bool]:
    """The same of arrivals at random moments, in requests a second."""
    best = 0.0
    own = [each for each in levels if each.way == way and each.rate and each.requests]
    for each in sorted(own, key=lambda level: level.rate):
        if not each.held:
            return best, True
        best = each.rate
    return best, False


def _per_token(outcome: Mapping[str, Any]) -> float | None:
    pieces, tokens = outcome["pieces"], outcome["answer_tokens"] or len(outcome["pieces"])
    if tokens < 2 or len(pieces) < 2:
        return None
    return float((pieces[-1] - pieces[0]) / (tokens - 1))


def _gaps(outcomes: Iterable[Mapping[str, Any]]) -> list[float]:
    return [later - earlier for each in outcomes for earlier, later in pairwise(each["pieces"])]


def _tokens_until(outcome: Mapping[str, Any], moment: float) -> float:
    """Of an answer's tokens, as the engine counted them, those that had come by then."""
    pieces = outcome["pieces"]
    tokens = outcome["answer_tokens"] or len(pieces)
    return float(tokens * sum(piece <= moment for piece in pieces) / len(pieces))


def _range(values: Iterable[int | None]) -> Range | None:
    known = [value for value in values if value is not None]
    return Range(min(known), max(known)) if known else None


def _p99(values: Sequence[float]) -> float:
    return percentile(sorted(values), 0.99) if values else 0.0
