"""Scaling: what may be asked for, when it is done, and what stops the wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.base.errors import ApplianceFailed, BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.compose import containers
from appliance_cli.compose.containers import Container
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import Appliance
from appliance_cli.stack import scale

FINE = Container("id", "p-ui-1", "ui", "image", "running", "healthy", 0, 0, "2026-11-22T10:00:00Z")


def ui(**changes: Any) -> Container:
    return replace(FINE, **changes)


NGINX = ui(service="nginx")


def test_a_service_and_its_number() -> None:
    assert scale.parse(["ui=5"]) == {"ui": 5}


@pytest.mark.parametrize(
    "arguments",
    [
        ["ui"],
        ["ui="],
        ["ui=0"],
        ["ui=-1"],
        ["ui=x"],
        ["ui=101"],
        ["ui=٣"],
        ["tgi=2"],
        ["=2"],
        ["ui=2", "ui=3"],
    ],
)
def test_anything_else_is_refused_with_an_example(arguments: list[str]) -> None:
    with pytest.raises(BadSetting) as failure:
        scale.parse(arguments)
    assert "from 1 to 100" in failure.value.expected
    assert failure.value.remedy.endswith("./scripts/appliance scale ui=5")


@pytest.mark.parametrize(
    ("found", "done"),
    [
        ([ui(), ui(), NGINX], True),
        ([ui(), NGINX], False),
        ([ui(), ui(), ui(), NGINX], False),
        ([ui(), ui(health="starting")], False),
        ([ui(), ui(state="exited", health="")], False),
        ([ui(), ui(restarts=9)], True),
    ],
)
def test_it_is_done_when_exactly_so_many_are_healthy(found: list[Container], done: bool) -> None:
    assert scale.settled(found, {"ui": 2}) is done


def test_a_replica_that_does_not_come_up_ends_the_wait(
    appliance: Appliance, engine: Callable[[str, list[list[Container]]], Path]
) -> None:
    coming = [ui(id="new", health="starting"), ui(id="new", health="unhealthy", failed_checks=9)]
    engine("", [[ui()], [ui()], *([ui(), each] for each in coming)])
    with pytest.raises(ApplianceFailed, match="The service ui stays unhealthy"):
        scale.scale(appliance, {"ui": 2}, Output())


def test_a_replica_that_may_be_the_one_that_leaves_is_not_judged() -> None:
    leaving = ui(id="old", health="unhealthy", failed_checks=99)
    assert scale.staying([ui(), leaving, NGINX], {"ui": 1}) == []
    assert scale.staying([ui(), leaving, NGINX], {"ui": 2}) == [ui(), leaving]


def test_progress_says_who_is_still_to_come_or_to_leave() -> None:
    coming = scale.progress([ui(), ui(health="starting")], {"ui": 3}, finished=True)
    assert coming == ("Waiting for the replicas", "ui: 1 of 3 healthy")
    leaving = scale.progress([ui(), ui(), ui()], {"ui": 1}, finished=False)
    assert leaving == ("Starting and draining replicas", "ui: 2 still to leave")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, list[list[Container]]], Path]:
    """A docker command that runs a script, and an engine that shows one list after the other.

    Gives the file that the command writes its arguments into.
    """

    def play(script: str, seen: list[list[Container]]) -> Path:
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(scale, "docker_client", object)
        monkeypatch.setattr(
            containers, "of_project", lambda *_: tuple(seen.pop(0) if len(seen) > 1 else seen[0])
        )
        return tmp_path / "calls"

    return play


def test_scaling_remembers_the_number_and_waits_until_the_replicas_are_healthy(
    appliance: Appliance,
    engine: Callable[[str, list[list[Container]]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = engine("", [[ui(), NGINX], [ui(), ui(health="starting"), NGINX], [ui(), ui(), NGINX]])
    scale.scale(appliance, {"ui": 2}, Output())
    assert dotenv_file.read(appliance.env_file) == {"UI_REPLICAS": "2"}
    assert calls.read_text().endswith(" --no-deps --no-recreate --no-build --scale ui=2 ui\n")
    told = capsys.readouterr()
    assert told.out == ""
    assert "2 healthy ui" in told.err
    assert "Running answers finish first" not in told.err


def test_the_way_down_says_that_it_drains(
    appliance: Appliance,
    engine: Callable[[str, list[list[Container]]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine("", [[ui(), ui()], [ui(), ui()], [ui()]])
    scale.scale(appliance, {"ui": 1}, Output())
    told = capsys.readouterr().err
    assert "Running answers finish first, up to 10 minutes" in told
    assert "1 healthy ui" in told


def test_an_appliance_that_does_not_run_only_remembers(
    appliance: Appliance, engine: Callable[[str, list[list[Container]]], Path]
) -> None:
    calls = engine("", [[ui(state="exited", health="")]])
    scale.scale(appliance, {"ui": 4}, Output())
    assert dotenv_file.read(appliance.env_file) == {"UI_REPLICAS": "4"}
    assert not calls.exists()


def test_composes_own_words_are_told_when_it_fails(
    appliance: Appliance, engine: Callable[[str, list[list[Container]]], Path]
) -> None:
    engine("echo no such image; exit 3", [[ui()]])
    with pytest.raises(StepFailed, match="Scaling failed") as failure:
        scale.scale(appliance, {"ui": 2}, Output())
    assert failure.value.details == ("no such image",)
    assert failure.value.found.startswith("exit code 3")
