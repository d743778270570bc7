"""Whoever is asked whether data may be deleted reads everything that goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from appliance_cli.base.output import Output
from appliance_cli.cli.app import app
from appliance_cli.compose import runner, volumes
from appliance_cli.config.appliance import Appliance
from appliance_cli.stack import lifecycle

REPO = Path(__file__).resolve().parents[4]
LOST = [what for what in volumes.HOLD.values() if what]


def test_every_volume_is_known() -> None:
    command = ["docker", "compose", "--env-file", os.devnull, "--profile", "*", "config", "--volumes"]
    clean = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    listed = subprocess.check_output(command, cwd=REPO, env=clean, text=True)
    assert sorted(listed.split()) == sorted(volumes.HOLD)
    assert "the graphs' history" in LOST


def test_the_help_names_everything() -> None:
    told = CliRunner().invoke(app, ["down", "--help"], env={"COLUMNS": "300"}).stdout
    assert f"Also delete {volumes.everything()}." in " ".join(told.split())


def test_the_question_names_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(_: Output, question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(Output, "confirm_loss", refuse)
    (tmp_path / "x.env").write_text("COMPOSE_PROJECT_NAME=mine\n")
    result = CliRunner().invoke(app, ["--env-file", str(tmp_path / "x.env"), "down", "--volumes"])
    assert result.exit_code == 0, result.output
    assert asked == [f"Delete {volumes.everything()} of mine?"]


@pytest.mark.parametrize("delete", [True, False])
def test_the_step_and_the_end_name_everything(
    delete: bool,
    appliance: Appliance,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(runner, "act", lambda *_, **__: None)
    lifecycle.stop(appliance, Output(), volumes=delete)
    told = capsys.readouterr().err
    assert all(what in told for what in LOST)
    assert ("Kept:" in told) == (not delete)
