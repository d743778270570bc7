"""The shipped dashboard as Grafana reads it: its panels, and its queries with Grafana's variables filled in.

Knows nothing of Prometheus.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from harness.stack import REPO

PATH = REPO / "services/monitoring/grafana/dashboards/appliance.json"

# What Grafana puts in at the first opening: the last 30 minutes, and a shortest rate window of four times the
# data source's timeInterval of 15 s.
_VARIABLES = {"$__rate_interval": "1m", "$__range": "30m"}


@dataclass(frozen=True)
class Query:
    """One query of a panel. `instant`: its value now, else a line over the time shown."""

    panel: str
    expression: str
    instant: bool


def dashboard() -> dict[str, Any]:
    return dict(json.loads(PATH.read_text()))


def panels() -> list[dict[str, Any]]:
    """All panels that show something: rows only fold."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    return [
        Query(panel["title"], _filled_in(target["expr"]), target.get("instant", False))
        for panel in panels()
        for target in panel["targets"]
    ]


def _filled_in(expression: str) -> str:
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression
