"""What a line chart shows: lines over one axis of numbers. drawing.py makes a picture of it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """Points from left to right, with ``dots`` on them; or, with ``level``, a dashed line at that height."""

    name: str
    points: tuple[tuple[float, float], ...]
    level: float | None = None
    dots: bool = True


@dataclass(frozen=True)
class Chart:
    """A chart. Both axes begin at 0."""

    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]


def ticks(most: float) -> list[float]:
    """Round numbers from 0 to just above ``most``, four to eight of them."""
    if most <= 0:
        return [0.0, 1.0]
    step = 10.0 ** math.floor(math.log10(most / 4))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if most / (step * factor) <= 7)
    return [round(step * index, 10) for index in range(math.ceil(most / step - 1e-9) + 1)]
