"""Mends what Docker leaves as it is: an engine that lost its card, containers that nothing will start.

Each is mended once in half an hour; what it did is logged. What somebody stopped on purpose stays stopped.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import HostNotReady, StepFailed
from appliance_cli.compose import commands, containers, runner
from appliance_cli.compose.client import docker_client
from appliance_cli.config.appliance import Appliance
from appliance_cli.doctor import heal_log
from appliance_cli.doctor.examination import cards_of_host, nvidia_smi_inside
from appliance_cli.doctor.running import lost_card
from appliance_cli.host.alone import alone
from appliance_cli.stack.stranded import stranded

AGAIN_AFTER = timedelta(minutes=30)


@dataclass(frozen=True)
class Patient:
    """A container and what is wrong with it; ``recreate``: starting it again would not give it its card."""

    id: str
    name: str
    service: str
    why: str
    recreate: bool


def heal(appliance: Appliance, tell: Callable[[str], None], now: datetime | None = None) -> bool:
    """Mend what there is to mend. False when something was mended lately already and is broken again.

    Leaves all as it is while another command changes the appliance, and while Docker is silent.
    """
    at = now or datetime.now(UTC)
    try:
        # why: held only where there is something to do, so that no `up` meets the timer's empty look
        if not patients(appliance, at):
            return True
    except StepFailed as silent:
        tell(f"nothing can be mended: {silent}: {silent.found}")
        return True
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(appliance, "appliance heal"))
        except HostNotReady as held:
            tell(f"nothing is mended now: {held.found} is at work")
            return True
        return _heal(appliance, tell, at)


def _heal(appliance: Appliance, tell: Callable[[str], None], at: datetime) -> bool:
    treated = _treated(_record(appliance), at)
    well = True
    for patient in patients(appliance, at):
        if patient.name in treated:
            tell(f"{patient.name}: {patient.why}, again since {treated[patient.name]}; see: appliance doctor")
            well = False
            continue
        tell(f"{patient.name}: {patient.why}; {'recreating' if patient.recreate else 'starting'} it")
        _note(appliance, patient, at)
        _mend(appliance, patient, heal_log.path_of(appliance))
    return well


def patients(appliance: Appliance, now: datetime) -> list[Patient]:
    """Who needs help."""
    found = containers.of_project(docker_client(), appliance.project)
    lost = {name for name, answer in nvidia_smi_inside(found).items() if lost_card(answer)}
    # why: a driver that is away altogether is nothing that a new container would mend
    if lost and not cards_of_host():
        lost = set()
    left = [
        Patient(c.id, c.name, c.service, f"it is {c.state} and nothing will start it", recreate=False)
        for c in stranded(found, now)
    ]
    return [
        *(
            Patient(c.id, c.name, c.service, heal_log.LOST_CARD, recreate=True)
            for c in found
            if c.name in lost
        ),
        *left,
    ]


def _mend(appliance: Appliance, patient: Patient, log: Path) -> None:
    argv = (
        commands.recreate(appliance, patient.service) if patient.recreate else ["docker", "start", patient.id]
    )
    remedy = f"see what it says; ./scripts/appliance logs {patient.service}"
    runner.act(appliance, argv, f"Mending {patient.name}", log=log, on_line=lambda _: None, remedy=remedy)


def _record(appliance: Appliance) -> Path:
    return appliance.logs / f"{appliance.project}.healed.json"


def _treated(path: Path, now: datetime) -> Mapping[str, str]:
    """Who was mended in the last half hour, and when."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    since = (now - AGAIN_AFTER).isoformat(timespec="seconds")
    return {name: when for name, when in record.items() if str(when) >= since}


def _note(appliance: Appliance, patient: Patient, now: datetime) -> None:
    path = _record(appliance)
    path.parent.mkdir(parents=True, exist_ok=True)
    when = now.isoformat(timespec="seconds")
    record = {**_treated(path, now), patient.name: when}
    atomic_file.replace(path, json.dumps(record, indent=1).encode(), 0o644)
    heal_log.write(appliance, now, patient.name, patient.why)
