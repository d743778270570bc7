"""From .env's MODE and this host's cards to what `up` starts: judged, planned, and written as a Compose file.

`prepare` is the whole of it. `decide` changes nothing and raises before any download; `write` puts its result
beside docker-compose.yml.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
from docker.errors import DockerException

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.compose import containers
from appliance_cli.compose.client import connect
from appliance_cli.config import dotenv_file
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.table import default_of
from appliance_cli.gpu import cards_here
from appliance_cli.gpu import compose_file as gpu_file
from appliance_cli.gpu import settings as gpu_settings
from appliance_cli.gpu.cards_here import Gpu
from appliance_cli.gpu.planning import fitting
from appliance_cli.gpu.planning.plan import Plan
from appliance_cli.gpu.question import model_of, request
from appliance_cli.gpu.report import summary
from appliance_cli.gpu.settings import GpuSettings


@dataclass(frozen=True)
class Setup:
    """What will run. ``plan`` is None for a model whose numbers nobody knows before its download."""

    settings: GpuSettings
    devices: tuple[str, ...]
    plan: Plan | None
    warnings: tuple[str, ...]
    text: str

    @property
    def env(self) -> dict[str, str]:
        """Keys that .env gets where it lacks them: the card by its UUID."""
        return {"GPU_DEVICE": self.devices[0]} if len(self.devices) == 1 else {}


def prepare(appliance: Appliance, compose_file: str | None, output: Output) -> dict[str, str]:
    """Decide, tell, write; returns the .env keys that follow. For a host whose engine is TGI.

    ``compose_file`` stands in for .env's COMPOSE_FILE where an option has just replaced it.

    Raises:
        BadSetting, HostNotReady: before anything is installed or downloaded.
    """
    values = given_values.read(appliance.env_file)
    client, _ = connect()
    own = engine_pids(client, appliance.project) if client is not None else frozenset()
    setup = decide(values, cards_here.look().cards, own)
    if setup.plan is not None:
        output.item("ok", summary(setup.plan))
    for warning in setup.warnings:
        output.item("warn", warning)
    written = write(setup, appliance.root, appliance.project, compose_file or values.text("COMPOSE_FILE"))
    pinned = {} if values.given("GPU_DEVICE") else setup.env
    return {"COMPOSE_FILE": written, **pinned}


def decide(
    values: Mapping[str, str], found: tuple[Gpu, ...], own_pids: frozenset[int] = frozenset()
) -> Setup:
    """Choose cards, judge the combination, plan it. Asks a hub about a model that is not known here.

    Args:
        values: the operator's.
        found: this host's cards.
        own_pids: programs of an engine that already runs and will make way.

    Raises:
        BadSetting, HostNotReady: it cannot work or does not fit; with the reason and the remedy.
    """
    settings = gpu_settings.parse(values)
    chosen = _cards(settings, found)
    cards = [replace(gpu.card, used=_used_by_others(gpu, own_pids)) for gpu in chosen]
    try:
        model, files = model_of(settings.model_id, values)
    except BadSetting as error:
        warning = f"Whether it fits is not checked: {error}: {error.found}"
        devices = tuple(gpu.uuid for gpu in chosen)
        text = gpu_file.override(settings, {}, devices)
        return Setup(settings, devices, None, (warning, *gpu_settings.consequences(settings)), text)
    warnings = gpu_settings.validate(settings, model, cards)
    # why: one set of numbers serves all engines, so the card with the least room decides
    tightest = min(cards, key=lambda card: card.usable - card.used)
    plan = fitting.fits(request(settings, model, tightest, files_bytes=files))
    devices = tuple(gpu.uuid for gpu in chosen)
    return Setup(settings, devices, plan, warnings, gpu_file.override(settings, plan.settings, devices))


def write(setup: Setup, root: Path, project: str, compose_file: str) -> str:
    """Write the Compose file; returns the COMPOSE_FILE value that includes it, what else is in it kept."""
    name = gpu_file.file_name(project)
    dotenv_file.write(root / name, setup.text)
    parts = [
        part for part in (compose_file or default_of("COMPOSE_FILE")).split(":") if part and part != name
    ]
    return ":".join([*parts, name])


def engine_pids(client: Any, project: str) -> frozenset[int]:
    """Host process ids of this appliance's running GPU engines, whose memory will be free again."""
    found: set[int] = set()
    try:
        label = f"com.docker.compose.project={project}"
        for container in client.containers.list(filters={"label": label}):
            if not containers.is_engine(container.labels.get("com.docker.compose.service", "")):
                continue
            top = container.top()
            column = top["Titles"].index("PID")
            found |= {int(row[column]) for row in top["Processes"]}
    except (DockerException, requests.RequestException, KeyError, ValueError):
        return frozenset()  # it stopped meanwhile, or there is nothing to ask
    return frozenset(found)


def _cards(settings: GpuSettings, found: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    if settings.cards_needed == 1:
        wanted = settings.gpu_devices[0] if settings.gpu_devices else None
        return (cards_here.choose(found, wanted).gpu,)
    return cards_here.pick_several(found, settings.gpu_devices, settings.cards_needed)


def _used_by_others(gpu: Gpu, own_pids: frozenset[int]) -> int:
    own = sum(process.used or 0 for process in gpu.processes if process.pid in own_pids)
    return max(0, gpu.used - own)
