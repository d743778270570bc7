"""What NVIDIA cards draw, by their own meters. No card or no meter: None, never a guess."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pynvml as nvml

from appliance_cli.compose.containers import Container, is_engine

STEP_S = 0.5


@dataclass
class Draw:
    """Of the cards together, in watts; None until measured, and where nothing measures it."""

    watts: float | None = None
    metered: bool = False


def cards_of(containers: Sequence[Container]) -> tuple[str, ...]:
    """The cards that the engines were given, by index or UUID."""
    found = (card for each in containers if is_engine(each.service) for card in each.cards)
    return tuple(dict.fromkeys(found))


class Meter:
    """Reads the meters of these cards, named by index or UUID, while something runs."""

    def __init__(self, cards: Sequence[str]) -> None:
        self._cards = tuple(cards)

    @contextmanager
    def measuring(self) -> Iterator[Draw]:
        """The mean over what runs inside."""
        with _handles(self._cards) as handles:
            draw, stop, seen = Draw(metered=bool(handles)), threading.Event(), list[float]()

            def read() -> None:
                while True:
                    try:
                        seen.append(sum(nvml.nvmlDeviceGetPowerUsage(handle) for handle in handles) / 1000)
                    except nvml.NVMLError:
                        return
                    if stop.wait(STEP_S):
                        return

            reader = threading.Thread(target=read, daemon=True)
            if handles:
                reader.start()
            try:
                yield draw
            finally:
                stop.set()
                if handles:
                    reader.join()
                draw.watts = sum(seen) / len(seen) if seen else None

    def now(self, seconds: float) -> float | None:
        """The mean over so many seconds."""
        with self.measuring() as draw:
            threading.Event().wait(seconds if draw.metered else 0)
        return draw.watts


@contextmanager
def _handles(cards: Sequence[str]) -> Iterator[list[Any]]:
    """NVML's handles of the cards; none where there is no driver, or one of them is not there."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        yield []
        return
    try:
        try:
            found = [_handle(card) for card in cards]
        except nvml.NVMLError:
            found = []
        yield found
    finally:
        nvml.nvmlShutdown()


def _handle(card: str) -> Any:
    return (
        nvml.nvmlDeviceGetHandleByIndex(int(card)) if card.isdigit() else nvml.nvmlDeviceGetHandleByUUID(card)
    )
