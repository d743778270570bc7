"""What heal does to whom, with a docker command that writes down what it was asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.base.process import Answer
from appliance_cli.compose import containers
from appliance_cli.compose.containers import Container
from appliance_cli.config.appliance import Appliance
from appliance_cli.doctor import examination, heal_log, healing
from appliance_cli.doctor.healing import Patient
from appliance_cli.gpu import cards_here
from appliance_cli.gpu.cards_here import Gpu, Gpus
from appliance_cli.host.alone import alone

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LOST = Patient("id-tgi", "p-tgi-1", "tgi", heal_log.LOST_CARD, recreate=True)
LEFT = Patient("id-ui", "p-ui-1", "ui", "it is created and nothing will start it", recreate=False)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the stand-in for docker keeps its arguments."""
    record = tmp_path / "asked"
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {record}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return record


def container(service: str, **changes: Any) -> Container:
    began = "2026-11-27T10:00:00.1Z"
    fine = Container(f"id-{service}", f"p-{service}-1", service, "image", "running", "healthy", 0, 0, began)
    return replace(fine, created_at=began, **changes)


ENGINE = container("tgi", cards=("GPU-4a",))
NO_CARD = Answer(255, "Failed to initialize NVML: Unknown Error\n", "")
HAS_CARD = Answer(0, "GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-4a)\n", "")
CARD = Gpu(0, "GPU-4a", "NVIDIA GeForce RTX 4090", 0, 0, 0, (8, 9), ())


@pytest.mark.parametrize(
    ("changed", "inside", "host", "ill"),
    [
        (ENGINE, HAS_CARD, (CARD,), []),
        (ENGINE, NO_CARD, (CARD,), [("p-tgi-1", True)]),
        # a driver that is away altogether is nothing that a new container would mend
        (ENGINE, NO_CARD, (), []),
        (container("ui", state="exited", exit_code=137), HAS_CARD, (CARD,), [("p-ui-1", False)]),
        (container("ui", state="created"), HAS_CARD, (CARD,), [("p-ui-1", False)]),
        (container("ui", state="exited", exit_code=143), HAS_CARD, (CARD,), []),
        (
            container("ui", state="exited", exit_code=137),
            NO_CARD,
            (CARD,),
            [("p-tgi-1", True), ("p-ui-1", False)],
        ),
    ],
)
def test_who_needs_help(
    changed: Container,
    inside: Answer,
    host: tuple[Gpu, ...],
    ill: list[tuple[str, bool]],
    appliance: Appliance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = (ENGINE, container("ui"), container("nginx"))
    found = tuple(changed if each.service == changed.service else each for each in others)
    asked: list[str] = []

    def ask(argv: list[str], *, timeout: float) -> Answer:
        asked.append(argv[2])
        return inside

    monkeypatch.setattr(healing, "docker_client", lambda: None)
    monkeypatch.setattr(containers, "of_project", lambda *_: found)
    monkeypatch.setattr(examination, "ask", ask)
    monkeypatch.setattr(cards_here, "look", lambda: Gpus("570", host))
    assert [(each.name, each.recreate) for each in healing.patients(appliance, NOW)] == ill
    assert asked == ["id-tgi"], "who has no card is not asked for it"


def test_while_another_command_is_at_work_nothing_is_mended(
    appliance: Appliance, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "patients", lambda *_: [LOST, LEFT])
    told: list[str] = []
    with alone(appliance, "appliance up"):
        assert healing.heal(appliance, told.append, NOW)
    assert not asked.exists()
    assert "appliance up (process " in told[0]
    assert healing.heal(appliance, told.append, NOW) and asked.exists()


def test_whoever_is_at_work_is_not_held_up_where_nothing_is_to_be_mended(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "patients", lambda *_: [])
    assert healing.heal(appliance, pytest.fail, NOW)
    assert not appliance.logs.exists()


def test_a_docker_that_is_silent_is_said_and_no_failure(
    appliance: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    told: list[str] = []
    assert healing.heal(appliance, told.append, NOW)
    assert "The Docker engine does not answer" in told[0]


def test_each_is_mended_once_in_half_an_hour(
    appliance: Appliance, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "patients", lambda *_: [LOST, LEFT])
    told: list[str] = []
    assert healing.heal(appliance, told.append, NOW)
    recreated, started = asked.read_text().splitlines()
    assert recreated.endswith("up --detach --no-deps --no-build --force-recreate tgi")
    assert started == "start id-ui"
    assert "p-tgi-1: it has lost its card; recreating it" in told

    assert not healing.heal(appliance, told.append, NOW + timedelta(minutes=29))
    assert len(asked.read_text().splitlines()) == 2
    assert "again since" in told[-1]
    assert healing.heal(appliance, told.append, NOW + timedelta(minutes=31))
    assert len(asked.read_text().splitlines()) == 4


def test_what_was_done_is_in_its_log(
    appliance: Appliance, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "patients", lambda *_: [LOST])
    healing.heal(appliance, lambda _: None, NOW)
    log = heal_log.path_of(appliance).read_text()
    assert "2026-11-27T12:00:00+00:00 p-tgi-1: it has lost its card" in log
    assert "--force-recreate tgi" in log


def test_doctor_says_what_was_mended_and_why(
    appliance: Appliance, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "patients", lambda *_: [LOST, LEFT])
    assert heal_log.lately(appliance, NOW) == []
    healing.heal(appliance, lambda _: None, NOW)
    lost, left = heal_log.lately(appliance, NOW + timedelta(hours=1))
    assert (lost.check, left.check) == ("gpu-lost", "containers")
    assert lost.found == "p-tgi-1 was mended at 2026-11-27T12:00:00+00:00: it has lost its card"
    assert heal_log.lately(appliance, NOW + timedelta(days=2)) == []
