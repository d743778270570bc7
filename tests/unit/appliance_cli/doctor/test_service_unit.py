"""The systemd units by systemd's own verdict, and what `service` says where there is no systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance_cli.base.errors import HostNotReady
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.host import service_unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("folder", ["plain", "with space, 100% and $HOME"])
def test_systemd_takes_the_units(folder: str, tmp_path: Path) -> None:
    root = tmp_path / folder
    (root / "scripts").mkdir(parents=True)
    program = root / "scripts/appliance"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = service_unit.units(load(root, root / ".env"))
    assert set(units) == {"qwen-appliance-heal.service", "qwen-appliance-heal.timer"}
    for name, text in units.items():
        (tmp_path / name).write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "qwen-appliance-heal" in line]
        # docker.service is not a unit of every machine that runs the tests
        assert [line for line in ours if "docker.service" not in line] == []


def test_a_docker_that_is_down_does_not_end_the_timer(appliance: Appliance) -> None:
    """A unit that may not start without another is not started, and OnUnitInactiveSec counts from its end."""
    for text in service_unit.units(appliance).values():
        assert not [
            line for line in text.splitlines() if line.startswith(("Requi", "BindsTo", "Condition", "Assert"))
        ]


def test_without_systemd_nothing_is_written(
    appliance: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_unit, "SYSTEMD", tmp_path / "none")
    with pytest.raises(HostNotReady, match="nothing was changed") as failure:
        service_unit.install(appliance, tmp_path)
    assert "cron" in failure.value.remedy
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".timer", ".service")] == []


def test_what_is_installed_is_removed_again(
    appliance: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(service_unit, "SYSTEMD", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(service_unit, "_systemctl", lambda *words: said.append(words))
    service_unit.install(appliance, tmp_path)
    assert ("enable", "--now", "qwen-appliance-heal.timer") in said
    assert service_unit.remove(appliance, tmp_path)
    assert ("disable", "--now", "qwen-appliance-heal.timer") in said
    assert not service_unit.remove(appliance, tmp_path)
