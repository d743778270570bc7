"""Texts that end an answer before them. TGI stops where a token ends with one and leaves it in the answer."""

from __future__ import annotations

from collections.abc import Sequence


def cut(text: str, stops: Sequence[str]) -> str | None:
    """`text` up to the first of `stops` in it; None where none is."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else None


class StopFilter:
    """The same for a text that comes piece by piece: what may become a stop is held back.

    Attributes:
        hit: a stop was found; nothing more belongs to the answer.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.hit = False

    def push(self, text: str, is_last: bool = False) -> str:
        """What can be shown now."""
        if self.hit:
            return ""
        text = self._held + text
        found = cut(text, self._stops)
        if found is not None:
            self._held, self.hit = "", True
            return found
        held = 0 if is_last else max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` begin `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0
