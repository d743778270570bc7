"""What heal did lately: its own log, written by it and read by doctor."""

import re
from datetime import datetime, timedelta
from pathlib import Path

from appliance_cli.config.appliance import Appliance
from appliance_cli.host.finding import Finding

TOLD_FOR = timedelta(days=1)
LOST_CARD = "it has lost its card"
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\S+) (\S+): (.+)")


def path_of(appliance: Appliance) -> Path:
    """Where it lies; one for each appliance of this folder."""
    return appliance.logs / f"{appliance.project}.heal.log"


def write(appliance: Appliance, now: datetime, name: str, why: str) -> None:
    """Add what is done about a container."""
    path = path_of(appliance)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(f"{now.isoformat(timespec='seconds')} {name}: {why}\n")


def lately(appliance: Appliance, now: datetime) -> list[Finding]:
    """What was mended in the last day, the last time of each container and reason."""
    try:
        lines = path_of(appliance).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    last: dict[tuple[str, str], str] = {}
    for row in filter(None, map(_LINE.fullmatch, lines)):
        if datetime.fromisoformat(row[1]) >= now - TOLD_FOR:
            last[row[2], row[3]] = row[1]
    return [_finding(name, why, when) for (name, why), when in last.items()]


def _finding(name: str, why: str, when: str) -> Finding:
    lost = why == LOST_CARD
    remedy = (
        "so that it does not happen again: CDI, or native.cgroupdriver=cgroupfs in /etc/docker/daemon.json"
        if lost
        else "./scripts/appliance logs says what it wrote before"
    )
    return Finding(
        "warn",
        f"{name} was mended at {when}: {why}",
        "nothing to mend",
        remedy,
        "gpu-lost" if lost else "containers",
    )
