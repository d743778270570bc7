"""``appliance gpu``: lists the NVIDIA cards and pins one in .env by its UUID."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from appliance_cli.base import tables
from appliance_cli.base.output import Output
from appliance_cli.cli.run import Json, Run
from appliance_cli.config import dotenv_file
from appliance_cli.config import values as given_values
from appliance_cli.gpu import cards_here
from appliance_cli.gpu import settings as gpu_settings
from appliance_cli.gpu.cards_here import Choice, Gpu, Gpus
from appliance_cli.gpu.planning import MIB
from appliance_cli.gpu.settings import GpuSettings

HEADING = "Written by scripts/appliance gpu. See .env.example."


def gpu(
    run: Run,
    pick: Annotated[
        str | None, typer.Option(metavar="UUID|INDEX", help="This card; else the RTX 4090.")
    ] = None,
    write: Annotated[
        bool | None,
        typer.Option("--write/--no-write", help="Write GPU_DEVICE to .env.", show_default="with --pick"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the NVIDIA cards, say which one serves and why, and pin it in .env by its UUID (indexes move)."""
    output = run.output
    path = run.env_file
    found = cards_here.look()
    configured = dotenv_file.read(path).get("GPU_DEVICE") or None
    choice = cards_here.choose(found.cards, pick or configured)
    settings = gpu_settings.parse(given_values.read(path))
    several = settings.cards_needed > 1 and pick is None
    serving = (
        cards_here.pick_several(found.cards, settings.gpu_devices, settings.cards_needed)
        if several
        else (choice.gpu,)
    )
    output.data(json.dumps(content(found, choice, serving), indent=2) if as_json else table(found, serving))
    if several:
        _tell_several(serving, settings, output)
        return
    output.item("warn" if choice.doubt else "ok", f"Card {choice.gpu.index}: {choice.reason}", choice.doubt)
    if write is False or (write is None and pick is None):
        if configured != choice.gpu.uuid:
            output.say(f"  Pin it: ./scripts/appliance gpu --pick {choice.gpu.uuid}")
        return
    changed = pin(path, choice.gpu)
    output.item("ok", f"{path.name}: {'now has' if changed else 'has already'} GPU_DEVICE={choice.gpu.uuid}")


def _tell_several(serving: Sequence[Gpu], settings: GpuSettings, output: Output) -> None:
    indexes = ", ".join(str(gpu.index) for gpu in serving)
    engines = f"{settings.replicas} engines" if settings.replicas > 1 else "one engine"
    width = f", {settings.tensor_parallel} cards each" if settings.tensor_parallel > 1 else ""
    short = settings.cards_needed - len(serving)
    output.item(
        "warn" if short else "ok", f"Cards {indexes}: {engines}{width}", f"{short} missing" if short else ""
    )
    output.say("  ./scripts/appliance up pins them by UUID; to choose: GPU_DEVICES in .env")


def pin(path: Path, gpu: Gpu) -> bool:
    """Write a card's UUID as GPU_DEVICE; False when it was there."""
    return dotenv_file.choose(path, {"GPU_DEVICE": gpu.uuid}, HEADING)


def content(found: Gpus, choice: Choice, serving: Sequence[Gpu]) -> dict[str, Any]:
    """What ``--json`` prints; memory in MiB."""
    return {
        "driver": found.driver,
        "chosen": choice.gpu.uuid,
        "serving": [gpu.uuid for gpu in serving],
        "reason": choice.reason,
        "doubt": choice.doubt or None,
        "cards": [_row(card) for card in found.cards],
    }


def _row(card: Gpu) -> dict[str, Any]:
    return {
        "index": card.index,
        "uuid": card.uuid,
        "name": card.name,
        "memory_mib": card.total // MIB,
        "used_mib": card.used // MIB,
        "reserved_mib": card.reserved // MIB,
        "compute_capability": ".".join(map(str, card.capability)),
        "processes": [
            {"pid": process.pid, "name": process.name, "mib": _mib(process.used)}
            for process in card.processes
        ],
    }


def table(found: Gpus, serving: Sequence[Gpu]) -> str:
    """The cards for people; those that serve are marked."""
    titles = ("", "INDEX", "NAME", "MEMORY", "USED", "CC", "UUID", "USED BY")
    rows = [
        (
            "→" if card in serving else "",
            str(card.index),
            card.name,
            f"{card.total // MIB} MiB",
            f"{card.used // MIB} MiB",
            ".".join(map(str, card.capability)),
            card.uuid,
            ", ".join(_user(process) for process in card.processes) or "nobody",
        )
        for card in found.cards
    ]
    return "\n".join([*tables.table(titles, rows).splitlines(), "", f"Driver  {found.driver}"])


def _user(process: cards_here.Process) -> str:
    used = _mib(process.used)
    return f"{process.name} (pid {process.pid}{'' if used is None else f', {used} MiB'})"


def _mib(used: int | None) -> int | None:
    return None if used is None else used // MIB
