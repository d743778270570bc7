"""Models in a backup: each complete one as it is exported, handed byte for byte to its import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.backup import make, restore
from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import Answer
from appliance_cli.compose import runner
from appliance_cli.config.appliance import Appliance
from appliance_cli.stack import models
from harness.kept import Volumes, restored

WEIGHTS = {"org/whole": b"w" * 3_000_000, "org/other": b"o"}
LISTED = [{"model_id": name, "complete": True} for name in WEIGHTS]
PARTIAL = {"model_id": "org/partial", "complete": False}


@pytest.fixture
def with_model(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """In place of model-init; what it is asked to take in, and with which code it then ends."""
    told: dict[str, Any] = {"in": [], "code": 0, "list": json.dumps({"models": [*LISTED, PARTIAL]})}

    def export(_: Appliance, name: str, file: Path) -> int:
        file.write_bytes(WEIGHTS[name])
        return 0

    def take_in(_: Appliance, file: Path) -> int:
        told["in"].append(file.read_bytes())
        return int(told["code"])

    monkeypatch.setattr(runner, "ask", lambda *_, **__: Answer(0, told["list"], "no volume"))
    monkeypatch.setattr(models, "export", export)
    monkeypatch.setattr(models, "take_in", take_in)
    monkeypatch.setattr(restore, "has_image", lambda *_: True)
    return told


def test_they_come_back_byte_for_byte(
    office: Appliance, docker: Volumes, with_model: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "b.tar.gz"
    client: Any = docker
    made = make.make(office, client, file, Output(), with_model=True)
    assert [each.name for each in made.manifest.of("models")] == ["models/0.tar", "models/1.tar"]
    assert {path.name for path in tmp_path.iterdir()} == {"office", "b.tar.gz"}
    restored(file, office, docker)
    assert with_model["in"] == list(WEIGHTS.values())
    assert list(office.logs.iterdir()) == []


def test_a_model_that_is_not_taken_in_is_said(
    office: Appliance, docker: Volumes, with_model: dict[str, Any], tmp_path: Path
) -> None:
    client: Any = docker
    make.make(office, client, tmp_path / "b.tar.gz", Output(), with_model=True)
    with_model["code"] = 14
    with pytest.raises(StepFailed, match="everything else is back"):
        restored(tmp_path / "b.tar.gz", office, docker)


@pytest.mark.parametrize("answer", ["", "{}", '{"models": [{}]}', "[]"])
def test_models_that_cannot_be_listed_end_it(
    answer: str, office: Appliance, docker: Volumes, with_model: dict[str, Any], tmp_path: Path
) -> None:
    client: Any = docker
    with_model["list"] = answer
    with pytest.raises(StepFailed, match="could not be taken into the backup"):
        make.make(office, client, tmp_path / "b.tar.gz", Output(), with_model=True)
    assert [path.name for path in tmp_path.iterdir()] == ["office"]
