"""How long a question waits for an engine that is full, and when it is asked again. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds: the pause before the second try, the longest one, and all of them together."""

    first: float = 1.0
    longest: float = 15.0
    whole: float = 600.0

    def pause(self, tries: int, waited: float, retry_after: int | None) -> float | None:
        """The pause after so many tries: twice the one before, and never less than the engine asks for.

        None when the patience would end before the next try.
        """
        pause = max(min(self.first * 2 ** (tries - 1), self.longest), float(retry_after or 0))
        return pause if waited + pause <= self.whole else None
