"""The dashboard by its structure, since Grafana is not run here: what it would refuse or show as empty."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest

from harness import exposition
from harness.dashboard import dashboard, panels, queries
from harness.stack import REPO

MONITORING = REPO / "services/monitoring"
PROMISED = {
    f"{family.name}{suffix}"
    for families in exposition.PARTS.values()
    for family in families
    for suffix in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
}
OF_PROMETHEUS = {"up", "ALERTS"}
# of Grafana 13's, those that the panels use: @grafana/data, valueFormats/categories.ts
UNITS = {"none", "short", "s", "reqps", "percent", "mbytes", "watt", "celsius", "hertz", "tokens/s"}


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:tgi_|appliance_|nginx_|DCGM_)\w+|\bup\b|\bALERTS\b", text))


def test_grafana_finds_what_it_needs() -> None:
    found = dashboard()
    assert found["uid"] == "appliance"
    assert found["title"] == "Qwen appliance"
    assert 36 <= found["schemaVersion"] <= 42  # newer than the Grafana that reads it would not be migrated
    assert "id" not in found  # of the database of the Grafana that it was exported from


def test_panels_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def test_panels_say_what_they_show() -> None:
    for panel in panels():
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


def test_every_target_asks_the_data_source_that_is_chosen() -> None:
    (variable,) = dashboard()["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    assert variable["query"] == "prometheus"
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert panel["targets"], panel["title"]
        for asking in (panel, *panel["targets"]):
            assert asking["datasource"] == chosen, panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references)), panel["title"]


def test_panels_neither_overlap_nor_leave_the_grid() -> None:
    def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
        return (
            one["x"] < other["x"] + other["w"]
            and other["x"] < one["x"] + one["w"]
            and one["y"] < other["y"] + other["h"]
            and other["y"] < one["y"] + one["h"]
        )

    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []


def test_units_are_grafanas() -> None:
    def units(panel: dict[str, Any]) -> set[str]:
        fields = panel["fieldConfig"]
        changed = [change for override in fields["overrides"] for change in override["properties"]]
        return {
            fields["defaults"].get("unit", "none"),
            *(change["value"] for change in changed if change["id"] == "unit"),
        }

    assert set().union(*(units(panel) for panel in panels())) <= UNITS


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.expression[:60])
def test_queries_use_promised_names_only(query: Any) -> None:
    used = metrics_in(query.expression)
    assert used
    assert used <= PROMISED | OF_PROMETHEUS
    assert "$" not in query.expression  # a variable that nobody fills in


def test_alert_rules_use_promised_names_only() -> None:
    expressions = re.findall(
        r"^ +expr: (?:>-\n)?(.+)$", (MONITORING / "prometheus/alerts.yml").read_text(), re.M
    )
    assert len(expressions) == 5
    assert metrics_in("\n".join(expressions)) <= PROMISED | OF_PROMETHEUS


def test_the_card_is_asked_for_what_is_shown() -> None:
    rows = (MONITORING / "gpu-counters.csv").read_text().splitlines()
    counters = {row.split(",")[0] for row in rows if not row.startswith("#")}
    assert counters == {family.name for family in exposition.CARD}
    assert all(row.count(",") == 2 for row in rows if not row.startswith("#"))  # dcgm-exporter refuses others
    shown = {name for query in queries() for name in metrics_in(query.expression) if name.startswith("DCGM_")}
    assert shown == counters
