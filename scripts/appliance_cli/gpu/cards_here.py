"""The NVIDIA cards of this host, by NVML (the library that nvidia-smi reads). Changes nothing.

`look` asks the driver; everything below it is pure and works on what was found.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pynvml

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.gpu.planning import MIB
from appliance_cli.gpu.planning.cards import Card, find, is_rtx_4090, reserve

SMALL = 12_000 * MIB  # below it the default model has little room
DRIVER_GUIDE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


@dataclass(frozen=True)
class Process:
    """A program that holds memory of a card; ``used`` is None where the driver does not tell (bytes)."""

    pid: int
    name: str
    used: int | None


@dataclass(frozen=True)
class Gpu:
    """One card. ``reserved``: what the driver keeps of ``total``; ``used`` comes without it. Bytes."""

    index: int
    uuid: str
    name: str
    total: int
    used: int
    reserved: int
    capability: tuple[int, int]
    processes: tuple[Process, ...]

    @property
    def card(self) -> Card:
        """The card as the planner takes it."""
        known = find(self.name)
        bandwidth, compute = (known.bandwidth, known.compute) if known else (None, None)
        return Card(self.name, self.total, self.capability, self.reserved, self.used, bandwidth, compute)


@dataclass(frozen=True)
class Gpus:
    """What NVML found: the driver's version and the cards in its order. ``driver`` is "" without one."""

    driver: str
    cards: tuple[Gpu, ...]


@dataclass(frozen=True)
class Choice:
    """The chosen card and why it was; ``doubt`` is what speaks against it, "" when nothing does."""

    gpu: Gpu
    reason: str
    doubt: str = ""


def look(nvml: ModuleType | Any = pynvml) -> Gpus:
    """Every card of this host.

    Raises:
        HostNotReady: there is no driver, or it does not answer.
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise HostNotReady(
            "The NVIDIA driver does not answer",
            expected="an NVIDIA card and its driver, 550 or newer",
            found=str(error),
            remedy=f"install the driver ({DRIVER_GUIDE}), restart, and see that nvidia-smi works; "
            "without a card: ./scripts/appliance up --engine cpu",
        ) from None
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        cards = tuple(_gpu(nvml, index, handle) for index, handle in enumerate(handles))
        return Gpus(_text(nvml.nvmlSystemGetDriverVersion()), cards)
    finally:
        nvml.nvmlShutdown()


def choose(found: Sequence[Gpu], wanted: str | None = None) -> Choice:
    """The card to serve on: the one that was named, else the RTX 4090, else the one with the most memory.

    Raises:
        HostNotReady: there is no card, or none of that name.
    """
    if not found:
        raise HostNotReady(
            "There is no NVIDIA card",
            expected="an NVIDIA card that the driver lists",
            found="none",
            remedy="see that nvidia-smi lists it; without a card: ./scripts/appliance up --engine cpu",
        )
    if wanted is not None:
        return _named(found, wanted)
    ours = [gpu for gpu in found if is_rtx_4090(gpu.name)]
    if len(ours) == 1:
        reason = "the RTX 4090" if len(found) > 1 else "the only card, an RTX 4090"
        return Choice(ours[0], reason, _doubt(ours[0]))
    candidates = ours or list(found)
    best = max(candidates, key=lambda gpu: (gpu.total, -gpu.used, -gpu.index))
    others = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in found if gpu is not best)
    if ours:
        reason = f"the RTX 4090 with the least memory in use, of {len(ours)}; others: {others}"
    elif len(found) == 1:
        reason = "the only card; the appliance is made for the RTX 4090, and its plan for this one may differ"
    else:
        reason = f"the one with the most memory; there is no RTX 4090. Others: {others}"
    return Choice(best, reason, _doubt(best))


def pick_several(found: Sequence[Gpu], wanted: Sequence[str], count: int) -> tuple[Gpu, ...]:
    """Cards for several engines or shards: the named ones, in their order, then the best of the rest.

    Raises:
        BadSetting: one is named twice.
        HostNotReady: one is not there.
    """
    named = [_named(found, name).gpu for name in wanted]
    if len({gpu.uuid for gpu in named}) < len(named):
        raise BadSetting(
            "GPU_DEVICES cannot be used",
            expected="each card once: a card holds one engine, or one shard of it",
            found=", ".join(wanted),
            remedy="name different cards, or fewer: those left over are chosen by themselves",
        )
    rest = [gpu for gpu in found if gpu not in named]
    rest.sort(key=lambda gpu: (not is_rtx_4090(gpu.name), -gpu.total, gpu.used, gpu.index))
    return (*named, *rest)[: max(count, 1)]


def _named(found: Sequence[Gpu], wanted: str) -> Choice:
    match = next((gpu for gpu in found if wanted in (str(gpu.index), gpu.uuid)), None)
    if match is None:
        listed = ", ".join(f"{gpu.index} ({gpu.uuid}, {gpu.name})" for gpu in found)
        raise HostNotReady(
            "There is no such card",
            expected=f"one of {listed or 'no card at all'}",
            found=wanted,
            remedy="name one by its UUID: ./scripts/appliance gpu --pick UUID",
        )
    return Choice(match, "named", _doubt(match))


def _doubt(gpu: Gpu) -> str:
    if gpu.capability < (8, 0):
        capability = ".".join(map(str, gpu.capability))
        return f"compute capability {capability}: TGI needs 8.0 (RTX 30 series) or newer"
    if gpu.total < SMALL:
        return f"{gpu.total // MIB} MiB: see what fits with ./scripts/appliance plan"
    if find(gpu.name) is None:
        return "not in the planner's table; its memory and compute capability are taken from the driver"
    return ""


def _gpu(nvml: Any, index: int, handle: Any) -> Gpu:
    total, used, reserved = _memory(nvml, handle)
    return Gpu(
        index=index,
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
        name=_text(nvml.nvmlDeviceGetName(handle)),
        total=total,
        used=used,
        reserved=reserved,
        capability=tuple(nvml.nvmlDeviceGetCudaComputeCapability(handle)),
        processes=_processes(nvml, handle),
    )


def _memory(nvml: Any, handle: Any) -> tuple[int, int, int]:
    """Total, used without the driver's reserve, and that reserve, which drivers before 510 do not tell."""
    with suppress(nvml.NVMLError, AttributeError, TypeError):
        info = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
        return info.total, info.used, info.reserved
    info = nvml.nvmlDeviceGetMemoryInfo(handle)
    kept = reserve(info.total)
    return info.total, max(0, info.used - kept), kept


def _processes(nvml: Any, handle: Any) -> tuple[Process, ...]:
    """Compute programs and those that draw; a program that does both is named once."""
    found: dict[int, int | None] = {}
    for ask in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        with suppress(nvml.NVMLError):
            for process in ask(handle):
                found[process.pid] = process.usedGpuMemory
    return tuple(Process(pid, _process_name(pid), used) for pid, used in sorted(found.items()))


def _process_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"  # ended meanwhile, or in another container


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
