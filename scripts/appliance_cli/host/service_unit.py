"""The systemd units that have `appliance heal` run: after each boot, and every minute."""

import os
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import HostNotReady, StepFailed
from appliance_cli.base.process import Answer, ask
from appliance_cli.config.appliance import Appliance

FOLDER = Path("/etc/systemd/system")
SYSTEMD = Path("/run/systemd/system")


def name_of(appliance: Appliance) -> str:
    """The units' name, without its ending; one for each appliance of this host."""
    return f"{appliance.project}-heal"


def units(appliance: Appliance) -> dict[str, str]:
    """The texts by file name."""
    name = name_of(appliance)
    program, env_file = appliance.root / "scripts/appliance", appliance.env_file
    # why: variables are filled in in arguments only, never in the program's own path
    command = f"{_quoted(str(program))} heal --env-file {_quoted(str(env_file)).replace('$', '$$')}"
    service = f"""\
# Written by scripts/appliance service install; ./scripts/appliance service remove takes it away.
[Unit]
Description=Heal {appliance.project}: an engine that lost its card, containers that nothing starts
After=docker.service

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=10min
Nice=10
"""
    timer = f"""\
# Written by scripts/appliance service install; ./scripts/appliance service remove takes it away.
[Unit]
Description=Heal {appliance.project} every minute

[Timer]
OnBootSec=1min
OnUnitInactiveSec=1min

[Install]
WantedBy=timers.target
"""
    return {f"{name}.service": service, f"{name}.timer": timer}


def install(appliance: Appliance, folder: Path = FOLDER) -> None:
    """Write the units and start the timer. Raises HostNotReady without systemd or root."""
    _require_systemd()
    for file, text in units(appliance).items():
        atomic_file.replace(folder / file, text.encode(), 0o644)
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"{name_of(appliance)}.timer")


def remove(appliance: Appliance, folder: Path = FOLDER) -> bool:
    """Stop the timer and delete the units; False when there were none."""
    _require_systemd()
    files = [folder / file for file in units(appliance) if (folder / file).exists()]
    if not files:
        return False
    _systemctl("disable", "--now", f"{name_of(appliance)}.timer")
    for path in files:
        path.unlink()
    _systemctl("daemon-reload")
    return True


def state(appliance: Appliance) -> dict[str, str]:
    """Whether it is installed and runs, and when it did last."""
    name = name_of(appliance)
    shown = ask(["systemctl", "show", f"{name}.timer", "--property=LoadState,ActiveState,LastTriggerUSec"])
    pairs = (line.partition("=") for line in shown.out.splitlines())
    found = {key: value for key, _, value in pairs}
    return {
        "unit": f"{name}.timer",
        "installed": "yes" if found.get("LoadState") == "loaded" else "no",
        "active": found.get("ActiveState", "unknown"),
        "last": found.get("LastTriggerUSec", ""),
    }


def _require_systemd() -> None:
    if not SYSTEMD.is_dir() or os.geteuid() != 0:
        raise HostNotReady(
            "The service cannot be installed here; nothing was changed",
            expected="root, on a host that systemd runs",
            found="no systemd" if not SYSTEMD.is_dir() else "not root",
            remedy="run it with sudo; without systemd, have cron run ./scripts/appliance heal every minute",
        )


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


def _quoted(text: str) -> str:
    """One word of ExecStart: systemd knows quotes and specifiers in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
