"""Draws a chart as PNG. Knows nothing of what its lines mean."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from appliance_cli.measure.chart import Chart, Line, ticks

WIDTH, HEIGHT = 960, 560
_LEFT, _RIGHT, _TOP, _LINE = 84, 24, 56, 22
_SCALE = 2  # drawn twice as large, then halved: smooth lines
_COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#bf8700", "#0a7ea4", "#cf5fa0", "#57606a")
_INK, _GRID, _PAPER = "#1f2328", "#d8dee4", "#ffffff"


def png(chart: Chart) -> bytes:
    """The picture, a line's name in its colour below it."""
    return _Drawing(chart).png()


def save(charts: Mapping[str, Chart], folder: Path) -> list[Path]:
    """Write charts under their names; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in charts]
    for file, each in zip(files, charts.values(), strict=True):
        file.write_bytes(png(each))
    return files


class _Drawing:
    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        xs = [x for line in chart.lines for x, _ in line.points]
        ys = [y for line in chart.lines for _, y in line.points]
        ys += [line.level for line in chart.lines if line.level is not None]
        self._xs, self._ys = ticks(max(xs, default=1)), ticks(max(ys, default=1))
        self._bottom = HEIGHT - 52 - _LINE * len(chart.lines)
        self._bottom = max(self._bottom, HEIGHT // 2)
        self._height = self._bottom + 52 + _LINE * len(chart.lines)
        self._image = Image.new("RGB", (WIDTH * _SCALE, self._height * _SCALE), _PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(14 * _SCALE)

    def png(self) -> bytes:
        chart = self._chart
        self._text((_LEFT, 14), chart.title, size=18)
        self._text((_LEFT, 38), chart.y_title, colour="#57606a")
        for tick in self._ys:
            y = self._y(tick)
            self._stroke([(_LEFT, y), (WIDTH - _RIGHT, y)], _GRID, 1)
            self._text((_LEFT - 8, y), f"{tick:g}", anchor="rm")
        for tick in self._xs:
            self._text((self._x(tick), self._bottom + 8), f"{tick:g}", anchor="mt")
        self._text((WIDTH - _RIGHT, self._bottom + 28), chart.x_title, anchor="rt", colour="#57606a")
        for index, line in enumerate(chart.lines):
            self._line(line, _COLOURS[index % len(_COLOURS)], self._bottom + 46 + _LINE * index)
        buffer = io.BytesIO()
        small = self._image.resize((WIDTH, self._height), Image.Resampling.LANCZOS)
        small.save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    def _line(self, line: Line, colour: str, legend: float) -> None:
        middle = legend + 8
        if line.level is not None:
            y = self._y(line.level)
            self._dashes((_LEFT, y), WIDTH - _RIGHT, colour)
            self._dashes((_LEFT, middle), _LEFT + 30, colour)
        else:
            points = [(self._x(x), self._y(y)) for x, y in line.points]
            self._stroke(points, colour, 2)
            for point in points if line.dots else ():
                self._dot(point, colour)
            self._stroke([(_LEFT, middle), (_LEFT + 30, middle)], colour, 2)
        self._text((_LEFT + 40, middle), line.name, anchor="lm")

    def _x(self, value: float) -> float:
        return _LEFT + (WIDTH - _RIGHT - _LEFT) * value / self._xs[-1]

    def _y(self, value: float) -> float:
        return self._bottom - (self._bottom - _TOP) * value / self._ys[-1]

    def _stroke(self, points: Sequence[tuple[float, float]], colour: str, width: int) -> None:
        large = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(large, fill=colour, width=width * _SCALE, joint="curve")

    def _dashes(self, start: tuple[float, float], end: float, colour: str) -> None:
        x, y = start
        while x < end:
            self._stroke([(x, y), (min(x + 6, end), y)], colour, 2)
            x += 10

    def _dot(self, point: tuple[float, float], colour: str) -> None:
        x, y = point[0] * _SCALE, point[1] * _SCALE
        radius = 3.5 * _SCALE
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def _text(
        self, at: tuple[float, float], text: str, *, size: int = 14, anchor: str = "lt", colour: str = _INK
    ) -> None:
        font = self._font if size == 14 else ImageFont.load_default(size * _SCALE)
        self._draw.text((at[0] * _SCALE, at[1] * _SCALE), text, fill=colour, font=font, anchor=anchor)
