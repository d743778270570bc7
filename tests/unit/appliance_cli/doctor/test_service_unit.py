"""The systemd units by systemd's own verdict, and what `service` says where there is no systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.host import service_unit
from appliance_cli.host.service_unit import Schedule


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("folder", ["plain", "with space, 100% and $HOME"])
def test_systemd_takes_the_units(folder: str, tmp_path: Path) -> None:
    root = tmp_path / folder
    (root / "scripts").mkdir(parents=True)
    program = root / "scripts/appliance"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    appliance = load(root, root / ".env")
    schedule = Schedule("Mon 04:00", ("/srv/my backups, 100%", "--keep", "3"))
    units = service_unit.units(appliance) | service_unit.backup_units(appliance, schedule)
    assert {name.removeprefix("qwen-appliance-") for name in units} == {
        *("heal.service", "heal.timer"),
        *("backup.service", "backup.timer"),
    }
    for name, text in units.items():
        (tmp_path / name).write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "qwen-appliance-" in line]
        # docker.service is not a unit of every machine that runs the tests
        assert [line for line in ours if "docker.service" not in line] == []


def test_a_docker_that_is_down_does_not_end_the_timer(appliance: Appliance) -> None:
    """A unit that may not start without another is not started, and OnUnitInactiveSec counts from its end."""
    schedule = Schedule("daily", ("/srv",))
    units = service_unit.units(appliance) | service_unit.backup_units(appliance, schedule)
    for text in units.values():
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
    service_unit.install_backup(appliance, Schedule("03:30", ("/srv",)), tmp_path)
    jobs = ("heal", "backup")
    assert all(("enable", "--now", f"qwen-appliance-{job}.timer") in said for job in jobs)
    assert len(service_unit.installed(appliance, tmp_path)) == 4
    assert service_unit.remove(appliance, tmp_path)
    assert all(("disable", "--now", f"qwen-appliance-{job}.timer") in said for job in jobs)
    assert service_unit.installed(appliance, tmp_path) == []
    assert not service_unit.remove(appliance, tmp_path)


def test_backups_run_with_what_was_said(appliance: Appliance) -> None:
    schedule = Schedule("Mon 04:00", ("/srv/a b", "--keep", "3"))
    units = service_unit.backup_units(appliance, schedule)
    start = next(line for line in units["qwen-appliance-backup.service"].splitlines() if "ExecStart" in line)
    assert '"backup" "/srv/a b" "--keep" "3" "--env-file"' in start
    assert "OnCalendar=Mon 04:00" in units["qwen-appliance-backup.timer"]


def test_a_time_that_is_none_is_refused(
    appliance: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_unit, "SYSTEMD", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(BadSetting, match="--at cannot be used"):
        service_unit.install_backup(appliance, Schedule("03:30\nUnit=x", ("/srv",)), tmp_path)
    assert list(tmp_path.iterdir()) == []
