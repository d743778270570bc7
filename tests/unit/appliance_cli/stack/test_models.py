"""The model commands: what they run, and what they leave behind on failure. No container is started."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.compose import commands as compose
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import Appliance
from appliance_cli.stack import models

WRITTEN = b"a bundle"


@pytest.fixture
def model_init(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """model-init that writes a bundle and fails for models of `nobody`; gives the calls."""
    calls: list[tuple[str, ...]] = []

    def run(_: Appliance, *arguments: str, stdout: IO[bytes] | None = None, **options: object) -> int:
        calls.append(arguments)
        if stdout is not None:
            stdout.write(WRITTEN)
        environment = options.get("environment") or {}
        assert isinstance(environment, dict)
        return 11 if "nobody/nothing" in (*arguments, *environment.values()) else 0

    monkeypatch.setattr(models, "run", run)
    return calls


def test_the_command_runs_beside_the_appliance_with_settings_of_its_own(appliance: Appliance) -> None:
    argv = compose.model_init(appliance, ["verify", "--json"], {"MODEL_ID": "a/b"}, terminal=False)
    prefix = compose.base(appliance)
    assert argv == [
        *prefix,
        *("--progress", "quiet", "run", "--rm", "--no-deps", "-T", "-e", "MODEL_ID=a/b"),
        *("model-init", "verify", "--json"),
    ]
    assert "-T" not in compose.model_init(appliance, ["verify"], {}, terminal=True)


def test_an_export_gets_its_name_when_it_is_complete(
    appliance: Appliance, tmp_path: Path, model_init: list[tuple[str, ...]]
) -> None:
    assert models.export(appliance, "a/b", tmp_path / "model.tar") == 0
    assert model_init == [("export", "a/b")]
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar"]
    assert (tmp_path / "model.tar").read_bytes() == WRITTEN


@pytest.mark.usefixtures("model_init")
def test_a_failed_export_leaves_no_file(appliance: Appliance, tmp_path: Path) -> None:
    assert models.export(appliance, "nobody/nothing", tmp_path / "model.tar") == 11
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("model_init")
def test_an_export_never_overwrites(appliance: Appliance, tmp_path: Path) -> None:
    (tmp_path / "model.tar").write_text("mine")
    with pytest.raises(BadSetting, match="exists already"):
        models.export(appliance, "a/b", tmp_path / "model.tar")
    assert (tmp_path / "model.tar").read_text() == "mine"


@pytest.mark.usefixtures("model_init")
def test_what_cannot_be_read_or_written_is_named(appliance: Appliance, tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as unreadable:
        models.take_in(appliance, tmp_path / "missing.tar")
    assert "missing.tar: No such file" in unreadable.value.found
    with pytest.raises(BadSetting) as unwritable:
        models.export(appliance, "a/b", tmp_path / "missing" / "model.tar")
    assert "missing/model.tar" in unwritable.value.found


def test_the_chosen_model_is_named_in_the_settings_once_it_is_proven(
    appliance: Appliance, model_init: list[tuple[str, ...]]
) -> None:
    appliance.env_file.write_text("HTTP_PORT=8081\nMODEL_ID=old/one\n")
    models.use(appliance, "a/b", "0123abc", Output())
    assert model_init == [("fetch",)]
    assert dotenv_file.read(appliance.env_file) == {
        "HTTP_PORT": "8081",
        "MODEL_ID": "a/b",
        "MODEL_REVISION": "0123abc",
    }


@pytest.mark.usefixtures("model_init")
def test_a_model_that_cannot_be_had_leaves_the_settings_alone(appliance: Appliance) -> None:
    appliance.env_file.write_text("MODEL_ID=old/one\n")
    with pytest.raises(StepFailed, match="nobody/nothing could not be made ready"):
        models.use(appliance, "nobody/nothing", "", Output())
    assert appliance.env_file.read_text() == "MODEL_ID=old/one\n"
