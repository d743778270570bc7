"""Charts as PNG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from appliance_cli.measure import drawing
from appliance_cli.measure.chart import Chart, Line, ticks

RISING = Line("rising", ((1, 1), (10, 10)))


def has(chart: Chart, colour: tuple[int, int, int]) -> bool:
    """Whether a colour is in the picture, or one that smoothing made of it."""
    image = Image.open(io.BytesIO(drawing.png(chart)))
    assert image.format == "PNG" and image.width == drawing.WIDTH
    found: Any = image.getcolors(1_000_000)
    return any(sum(abs(a - b) for a, b in zip(each, colour, strict=True)) < 60 for _, each in found)


@pytest.mark.parametrize("most", [0.0, 0.03, 1, 4, 7.2, 43, 130, 4873, 64_800])
def test_an_axis_has_few_round_numbers_that_hold_everything(most: float) -> None:
    found = ticks(most)
    assert found[0] == 0 and found[-1] >= most
    assert 2 <= len(found) <= 9


def test_each_line_has_its_colour() -> None:
    blue, red = (31, 111, 235), (209, 36, 47)
    one = Chart("t", "x", "y", (RISING,))
    both = Chart("t", "x", "y", (RISING, Line("level", (), level=5)))
    assert has(one, blue) and not has(one, red)
    assert has(both, blue) and has(both, red)


def test_charts_are_written_under_their_names(tmp_path: Path) -> None:
    chart = Chart("t", "x", "y", (RISING,))
    (file,) = drawing.save({"a.png": chart}, tmp_path / "new")
    assert file == tmp_path / "new" / "a.png" and file.read_bytes().startswith(b"\x89PNG")
