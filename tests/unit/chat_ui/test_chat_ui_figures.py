"""Prometheus' text format, as the page at /status reads it and as `appliance watch` and `bench` do."""

from __future__ import annotations

import pytest

from appliance_cli.stack import figures as of_the_command
from chat_ui import figures

CASES = {
    "# HELP a text\n# TYPE a counter\n": [],
    "a 1\n": [("a", {}, 1.0)],
    "a{} 1e3\n": [("a", {}, 1000.0)],
    'a_bucket{method="x y",le="+Inf"} +Inf\n': [("a_bucket", {"method": "x y", "le": "+Inf"}, float("inf"))],
    'a{path="/x{y}",quote="say \\"no\\""} 2\n': [("a", {"path": "/x{y}", "quote": 'say \\"no\\"'}, 2.0)],
    "a:b 1\nnot a line\nc -0.5": [("a:b", {}, 1.0), ("c", {}, -0.5)],
}


@pytest.mark.parametrize("text", CASES)
def test_both_read_the_same(text: str) -> None:
    assert figures.parse(text) == CASES[text]
    assert of_the_command.parse(text) == CASES[text]
