"""The table of routes, as tests read it. Judges nothing: that is nginx/routes.awk's business."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "nginx/routes"


@dataclass(frozen=True)
class Route:
    """One line; `frames` and `counter` are None where there are none."""

    where: str
    match: str
    path: str
    kind: str
    name: str
    counted: bool
    frames: str | None = None
    counter: str | None = None


def routes() -> list[Route]:
    """Every route, in the table's order."""
    found = []
    for _, where, match, path, kind, name, counted, *rest in _lines("route"):
        frames, counter = [None if word == "-" else word for word in rest] or (None, None)
        found.append(Route(where, match, path, kind, name, counted == "counted", frames, counter))
    return found


def largest_body(kind: str) -> int:
    """The bytes that a request of a route of that kind may have."""
    bodies = {name: _bytes(size) for _, size, *kinds in _lines("body") for name in kinds}
    return bodies.get(kind, bodies["other"])


def _lines(first: str) -> list[list[str]]:
    lines = [line.partition("#")[0].split() for line in TABLE.read_text().splitlines()]
    return [words for words in lines if words[:1] == [first]]


def _bytes(size: str) -> int:
    return int(size[:-1]) << {"k": 10, "m": 20}[size[-1]]
