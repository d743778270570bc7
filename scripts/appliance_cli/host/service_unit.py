"""The systemd units of an appliance: `heal` after each boot and every minute, and `backup` at set times."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import BadSetting, HostNotReady, StepFailed
from appliance_cli.base.process import NOT_INSTALLED, Answer, ask
from appliance_cli.config.appliance import Appliance

FOLDER = Path("/etc/systemd/system")
SYSTEMD = Path("/run/systemd/system")
_WRITTEN = "# Written by scripts/appliance service; ./scripts/appliance service remove takes it away.\n"


@dataclass(frozen=True)
class Schedule:
    """When systemd makes backups (its OnCalendar), and what `backup` is told."""

    at: str
    arguments: tuple[str, ...]


def name_of(appliance: Appliance, job: str = "heal") -> str:
    """The units' name, without its ending; one of each job for each appliance of this host."""
    return f"{appliance.project}-{job}"


def units(appliance: Appliance) -> dict[str, str]:
    """The texts of `heal` by file name."""
    service = f"""\
[Unit]
Description=Heal {appliance.project}: an engine that lost its card, containers that nothing starts
After=docker.service

[Service]
Type=oneshot
ExecStart={_command(appliance, ["heal"])}
TimeoutStartSec=10min
Nice=10
"""
    timer = f"""\
[Unit]
Description=Heal {appliance.project} every minute

[Timer]
OnBootSec=1min
OnUnitInactiveSec=1min

[Install]
WantedBy=timers.target
"""
    return _named(name_of(appliance), service, timer)


def backup_units(appliance: Appliance, schedule: Schedule) -> dict[str, str]:
    """The texts of `backup` by file name."""
    service = f"""\
[Unit]
Description=Back up {appliance.project}
After=docker.service

[Service]
Type=oneshot
ExecStart={_command(appliance, ["backup", *schedule.arguments])}
TimeoutStartSec=6h
Nice=10
"""
    timer = f"""\
[Unit]
Description=Back up {appliance.project} at set times

[Timer]
OnCalendar={schedule.at}
Persistent=true

[Install]
WantedBy=timers.target
"""
    return _named(name_of(appliance, "backup"), service, timer)


def install(appliance: Appliance, folder: Path = FOLDER) -> None:
    """Have systemd heal. Raises HostNotReady without systemd or root."""
    _install(units(appliance), name_of(appliance), folder)


def install_backup(appliance: Appliance, schedule: Schedule, folder: Path = FOLDER) -> None:
    """Have systemd make backups. Raises HostNotReady without systemd or root, BadSetting for a bad time."""
    _require_systemd("backup DIR --keep N at the times that you want")
    _require_calendar(schedule.at)
    _install(backup_units(appliance, schedule), name_of(appliance, "backup"), folder)


def remove(appliance: Appliance, folder: Path = FOLDER) -> bool:
    """Stop the timers and delete the units; False when there were none."""
    _require_systemd()
    files = installed(appliance, folder)
    if not files:
        return False
    for timer in (path.name for path in files if path.suffix == ".timer"):
        _systemctl("disable", "--now", timer)
    for path in files:
        path.unlink()
    _systemctl("daemon-reload")
    return True


def installed(appliance: Appliance, folder: Path = FOLDER) -> list[Path]:
    """The units' files that are there."""
    names = [f"{name_of(appliance, job)}.{end}" for job in ("heal", "backup") for end in ("timer", "service")]
    return [folder / name for name in names if (folder / name).exists()]


def state(appliance: Appliance, job: str = "heal") -> dict[str, str]:
    """Whether it is installed and runs, when it did last, and how the job ended then."""
    name = name_of(appliance, job)
    timer = _shown(f"{name}.timer", "LoadState,ActiveState,LastTriggerUSec")
    return {
        "unit": f"{name}.timer",
        "installed": "yes" if timer.get("LoadState") == "loaded" else "no",
        "active": timer.get("ActiveState", "unknown"),
        "last": timer.get("LastTriggerUSec", ""),
        "result": _shown(f"{name}.service", "Result").get("Result", ""),
    }


def _require_systemd(instead: str = "heal every minute") -> None:
    """Raise HostNotReady where units cannot be installed; ``instead``: what cron would run."""
    if not SYSTEMD.is_dir() or os.geteuid() != 0:
        raise HostNotReady(
            "The service cannot be installed here; nothing was changed",
            expected="root, on a host that systemd runs",
            found="no systemd" if not SYSTEMD.is_dir() else "not root",
            remedy=f"run it with sudo; without systemd, have cron run ./scripts/appliance {instead}",
        )


def _named(name: str, service: str, timer: str) -> dict[str, str]:
    return {f"{name}.service": _WRITTEN + service, f"{name}.timer": _WRITTEN + timer}


def _install(texts: Mapping[str, str], name: str, folder: Path) -> None:
    _require_systemd()
    for file, text in texts.items():
        atomic_file.replace(folder / file, text.encode(), 0o644)
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"{name}.timer")


def _require_calendar(at: str) -> None:
    """Raise BadSetting for a time that systemd does not understand."""
    answer = ask(["systemd-analyze", "calendar", "--", at])
    if "\n" not in at and answer.code in (0, NOT_INSTALLED):
        return
    raise BadSetting(
        "--at cannot be used; nothing was changed",
        expected="a time as systemd's OnCalendar has it, such as 03:30, or Mon 04:00",
        found=repr(at),
        remedy="give such a time (man systemd.time)",
    )


def _shown(unit: str, properties: str) -> dict[str, str]:
    lines = ask(["systemctl", "show", unit, f"--property={properties}"]).out.splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def _systemctl(*arguments: str) -> Answer:
    answer = ask(["systemctl", *arguments], timeout=60)
    if answer.code != 0:
        raise StepFailed(
            f"systemctl {' '.join(arguments)} failed",
            expected="exit code 0",
            found=(answer.err or answer.out).strip(),
            remedy="put right what it says, then run this again",
        )
    return answer


def _command(appliance: Appliance, words: Sequence[str]) -> str:
    """ExecStart's value: this appliance's own program with these words."""
    program = _quoted(str(appliance.root / "scripts/appliance"))
    arguments = [*words, "--env-file", str(appliance.env_file)]
    # why: variables are filled in in arguments only, never in the program's own path
    return " ".join([program, *(_quoted(word).replace("$", "$$") for word in arguments)])


def _quoted(text: str) -> str:
    """One word of ExecStart: systemd knows quotes and specifiers in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
