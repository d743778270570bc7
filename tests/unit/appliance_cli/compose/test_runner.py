"""Compose runs in the appliance's folder, wherever the operator stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance_cli.compose import runner
from appliance_cli.config.appliance import Appliance, load

PACKAGE = Path(runner.__file__).parents[1]
RAN = [sys.executable, "-c", "import os, sys; sys.stdout.write(os.getcwd())"]

Run = Callable[[Appliance, Path], object]


def launched(appliance: Appliance, out: Path) -> None:
    assert runner.launch(appliance, RAN, log=out).wait() == 0


def handed_over(appliance: Appliance, out: Path) -> None:
    with out.open("wb") as file:
        assert runner.hand_over(appliance, RAN, stdin=subprocess.DEVNULL, stdout=file) == 0


WAYS: dict[str, Run] = {
    "ask": lambda appliance, out: out.write_text(runner.ask(appliance, RAN, timeout=20).out),
    "act": lambda appliance, out: runner.act(appliance, RAN, "x", log=out, on_line=print, remedy="look"),
    "launch": launched,
    "hand_over": handed_over,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_way_runs_in_the_appliances_folder(
    way: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    way(load(root, root / ".env"), tmp_path / "out")
    assert (tmp_path / "out").read_text().splitlines()[-1] == os.path.realpath(root)


def test_nothing_else_runs_composes_commands() -> None:
    """Whoever makes such a command cannot run it but here."""
    runs = re.compile(
        r"process import .*(?:ask|act|launch|converse|hand_over)|subprocess\.(?:call|check|run|Popen)"
    )
    makers = [path for path in PACKAGE.rglob("*.py") if "compose import commands" in path.read_text()]
    assert len(makers) >= 5
    assert [str(path) for path in makers if runs.search(path.read_text())] == []
