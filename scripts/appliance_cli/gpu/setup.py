"""From .env's MODE and this host's cards to what `up` starts: judged, planned, and written as a Compose file.

In this order: `read` asks what is wanted and `judge` decides and tells, both before anything is changed; then
`settle` writes what was decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.compose import containers
from appliance_cli.compose.client import FAILURES, connect
from appliance_cli.config import dotenv_file
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.table import default_of
from appliance_cli.gpu import cards_here
from appliance_cli.gpu import compose_file as gpu_file
from appliance_cli.gpu import settings as gpu_settings
from appliance_cli.gpu.cards_here import Gpu
from appliance_cli.gpu.planning import fitting, people
from appliance_cli.gpu.planning.architecture import Architecture
from appliance_cli.gpu.planning.plan import Plan
from appliance_cli.gpu.planning.weights import checkpoint_bytes
from appliance_cli.gpu.question import model_of, request
from appliance_cli.gpu.report import summary
from appliance_cli.gpu.served import NotServed
from appliance_cli.gpu.settings import GpuSettings


@dataclass(frozen=True)
class Wanted:
    """What .env asks for. ``model`` is None for one that is not known before its download: ``unknown``."""

    settings: GpuSettings
    model: Architecture | None
    files_bytes: int | None
    unknown: str = ""

    @property
    def disk_bytes(self) -> int | None:
        """What the model's files take."""
        if self.model is None:
            return None
        return self.files_bytes or checkpoint_bytes(self.model)


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


def read(values: Mapping[str, str]) -> Wanted:
    """The settings among .env's keys, and their model. Asks a hub about one that is not known here.

    Raises BadSetting for a setting that cannot work, and for a model that TGI refuses.
    """
    settings = gpu_settings.parse(values)
    try:
        model, files = model_of(settings.model_id, values, settings.mode)
    except NotServed:
        raise
    except BadSetting as error:
        return Wanted(settings, None, None, f"{error}: {error.found}")
    return Wanted(settings, model, files)


def judge(wanted: Wanted, project: str, output: Output) -> Setup:
    """Decide for this host, whose engine is TGI, and tell. ``project``: the appliance that will make way.

    Raises BadSetting or HostNotReady when it cannot work here.
    """
    client, _ = connect()
    own = engine_pids(client, project) if client is not None else frozenset()
    setup = decide(wanted, cards_here.look().cards, own)
    if setup.plan is not None:
        output.item("ok", summary(setup.plan))
    for warning in setup.warnings:
        output.item("warn", warning)
    return setup


def settle(setup: Setup, appliance: Appliance, compose_file: str | None) -> dict[str, str]:
    """Write what was decided; returns the .env keys that follow.

    ``compose_file`` stands in for .env's COMPOSE_FILE where an option has just replaced it.
    """
    values = given_values.read(appliance.env_file)
    written = write(setup, appliance.root, appliance.project, compose_file or values.text("COMPOSE_FILE"))
    pinned = {} if values.given("GPU_DEVICE") else setup.env
    return {"COMPOSE_FILE": written, **pinned}


def decide(wanted: Wanted, found: tuple[Gpu, ...], own_pids: frozenset[int] = frozenset()) -> Setup:
    """Choose cards, judge the combination, plan it.

    Args:
        wanted: what .env asks for.
        found: this host's cards.
        own_pids: programs of an engine that already runs and will make way.

    Raises:
        BadSetting, HostNotReady: it cannot work or does not fit; with the reason and the remedy.
    """
    settings = wanted.settings
    chosen = _cards(settings, found)
    devices = tuple(gpu.uuid for gpu in chosen)
    if wanted.model is None:
        warning = f"Whether it fits is not checked: {wanted.unknown}"
        text = gpu_file.override(settings, {}, devices)
        return Setup(settings, devices, None, (warning, *gpu_settings.consequences(settings)), text)
    cards = [replace(gpu.card, used=_used_by_others(gpu, own_pids)) for gpu in chosen]
    warnings = gpu_settings.validate(settings, wanted.model, cards)
    # why: one set of numbers serves all engines, so the card with the least room decides
    tightest = min(cards, key=lambda card: card.usable - card.used)
    plan = fitting.fits(request(settings, wanted.model, tightest, files_bytes=wanted.files_bytes))
    text = gpu_file.override(settings, plan.settings, devices, plan.cuda_graphs)
    return Setup(settings, devices, plan, (*warnings, *people.doubts(plan)), text)


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
    except (*FAILURES, KeyError, ValueError):
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
