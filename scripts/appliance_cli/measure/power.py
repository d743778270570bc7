"""What the NVIDIA cards of this host draw, by their own meters. No card or no meter: None, never a guess."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pynvml as nvml

STEP_S = 0.5


@dataclass
class Draw:
    """Of all cards together, in watts; None until measured, and where nothing measures it."""

    watts: float | None = None


class Meter:
    """Reads the cards' meters while something runs."""

    def __init__(self) -> None:
        try:
            nvml.nvmlInit()
            count = nvml.nvmlDeviceGetCount()
            self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        except nvml.NVMLError:
            self._handles = []

    @contextmanager
    def measuring(self) -> Iterator[Draw]:
        """The mean over what runs inside."""
        draw, stop, seen = Draw(), threading.Event(), list[float]()

        def read() -> None:
            while True:
                try:
                    seen.append(sum(nvml.nvmlDeviceGetPowerUsage(handle) for handle in self._handles) / 1000)
                except nvml.NVMLError:
                    return
                if stop.wait(STEP_S):
                    return

        reader = threading.Thread(target=read, daemon=True)
        if self._handles:
            reader.start()
        try:
            yield draw
        finally:
            stop.set()
            if self._handles:
                reader.join()
            draw.watts = sum(seen) / len(seen) if seen else None

    def now(self, seconds: float) -> float | None:
        """The mean over so many seconds."""
        with self.measuring() as draw:
            threading.Event().wait(seconds if self._handles else 0)
        return draw.watts
