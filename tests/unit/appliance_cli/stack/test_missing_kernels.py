"""Missing fast kernels: `up` and `status` say so and what it costs, in model-init's own words."""

from __future__ import annotations

from typing import Any

import pytest

from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance
from appliance_cli.stack import status
from appliance_cli.stack.lifecycle import announce
from model_init.kernels.pinned import COST
from model_init.kernels.prepare import Kernels

MISSING = Kernels("bitsandbytes-9.9", "missing", f"OFFLINE=1 forbids every connection; {COST}").as_json()
READY = Kernels("bitsandbytes-9.9", "ready").as_json()
OFF = Kernels("bitsandbytes-9.9", "off").as_json()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no line is broken."""
    monkeypatch.setenv("COLUMNS", "1000")


def said_by_up(appliance: Appliance, kernels: Any, capsys: pytest.CaptureFixture[str]) -> str:
    document = {"model": {"model_id": "a/b", "fast_kernels": kernels}, "engine": {"model_id": "a/b"}}
    announce(appliance, document, Output())
    return capsys.readouterr().err


def said_by_status(kernels: Any) -> str:
    content: dict[str, Any] = {
        "containers": [],
        "engine": "gpu",
        "state": "ready",
        "message": None,
        "model": {"model_id": "a/b", "fast_kernels": kernels},
        "url": "http://127.0.0.1:8080",
        "way_out": None,
    }
    return status.table(content)


def test_up_says_it_and_what_it_costs(appliance: Appliance, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = [
        text for text in said_by_up(appliance, MISSING, capsys).splitlines() if "4-bit kernels" in text
    ]
    assert line.strip() == f"! no fast 4-bit kernels (bitsandbytes-9.9)  {MISSING['detail']}"
    for cost in ("2.9 times", "264 MiB more", "FAST_NF4=0 makes TARGET_VRAM count"):
        assert cost in line


@pytest.mark.parametrize("kernels", [READY, OFF, None])
def test_up_says_nothing_where_nothing_is_missing(
    appliance: Appliance, capsys: pytest.CaptureFixture[str], kernels: Any
) -> None:
    assert "kernels" not in said_by_up(appliance, kernels, capsys)


def test_status_says_it_and_what_it_costs() -> None:
    assert f"Kernels bitsandbytes-9.9: {MISSING['detail']}" in said_by_status(MISSING).splitlines()


@pytest.mark.parametrize(
    ("kernels", "said"),
    [(READY, ["Kernels bitsandbytes-9.9: ready"]), (OFF, ["Kernels bitsandbytes-9.9: off"]), (None, [])],
)
def test_status_says_how_they_are(kernels: Any, said: list[str]) -> None:
    lines = said_by_status(kernels).splitlines()
    assert [line for line in lines if line.startswith("Kernels")] == said
