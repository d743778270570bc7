"""Figures in Prometheus' text format, and what a histogram gained between two looks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SERIES = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Series = list[tuple[str, dict[str, str], float]]


def parse(text: str) -> Series:
    """Each series' name, labels and value."""
    rows = (_SERIES.match(line) for line in text.splitlines())
    return [(row[1], dict(_LABEL.findall(row[2] or "")), float(row[3])) for row in rows if row]


def total(series: Iterable[tuple[str, dict[str, str], float]], name: str) -> float | None:
    """All values of a name, added up; None when there is none."""
    found = [value for each, _, value in series if each == name]
    return sum(found) if found else None


def growth(before: Mapping[str, Series], now: Mapping[str, Series], name: str) -> float | None:
    """How much a counter grew between two looks, of those (by address) that told it in both.

    One that began anew counts from 0 and is left out; None where none is left.
    """
    grown = []
    for address, series in now.items():
        earlier, later = total(before.get(address, ()), name), total(series, name)
        if earlier is not None and later is not None and later >= earlier:
            grown.append(later - earlier)
    return sum(grown) if grown else None


def buckets(series: Series, name: str, without: Mapping[str, str]) -> dict[float, float]:
    """A histogram's cumulative counts by upper bound, over all series but those with a label of `without`."""
    found: dict[float, float] = {}
    for each, labels, value in series:
        if each == f"{name}_bucket" and not without.items() & labels.items():
            bound = float(labels["le"])
            found[bound] = found.get(bound, 0.0) + value
    return found


def quantile(share: float, before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    """Of what was gained between two looks; evenly spread within a bucket. None where nothing was gained.

    None, too, where `before` is empty: all that it ever counted was not gained in between.
    """
    gained = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
    bounds = sorted(gained)
    if not before or not bounds or gained[bounds[-1]] <= 0:
        return None
    wanted = share * gained[bounds[-1]]
    lower, below = 0.0, 0.0
    for bound in bounds:
        if gained[bound] >= wanted:
            if bound == float("inf"):
                break
            width = gained[bound] - below
            return lower + (bound - lower) * ((wanted - below) / width if width else 0.0)
        lower, below = bound, gained[bound]
    return lower
