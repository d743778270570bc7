"""What heal does to whom, with a docker command that writes down what it was asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance_cli.config.appliance import Appliance
from appliance_cli.doctor import heal_log, healing
from appliance_cli.doctor.healing import Patient

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
