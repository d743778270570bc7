"""What a card does at this moment, by NVML: memory, utilisation, power, temperature. Changes nothing."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pynvml

from appliance_cli.gpu.planning import MIB


@dataclass(frozen=True)
class CardNow:
    """One card. None for what this card or driver does not tell."""

    index: int
    uuid: str
    name: str
    memory_mib: int
    memory_used_mib: int
    utilisation_percent: int | None
    power_w: float | None
    power_limit_w: float | None
    temperature_c: int | None


def look(nvml: ModuleType | Any = pynvml) -> tuple[CardNow, ...]:
    """Every card of this host; none where there is no driver."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        handles = (nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount()))
        return tuple(_card(nvml, index, handle) for index, handle in enumerate(handles))
    except nvml.NVMLError:
        return ()
    finally:
        nvml.nvmlShutdown()


def _card(nvml: Any, index: int, handle: Any) -> CardNow:
    def told(ask: Callable[[], Any]) -> Any:
        with suppress(nvml.NVMLError):
            return ask()
        return None

    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    rates = told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    power = told(lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    limit = told(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
    return CardNow(
        index,
        _text(nvml.nvmlDeviceGetUUID(handle)),
        _text(nvml.nvmlDeviceGetName(handle)),
        memory.total // MIB,
        memory.used // MIB,
        None if rates is None else rates.gpu,
        None if power is None else power / 1000,
        None if limit is None else limit / 1000,
        told(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
