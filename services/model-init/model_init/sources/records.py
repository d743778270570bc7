"""What a run knows of its sources: what each carries, who rests, who lied, who is dead. Owns that memory.

Shared by all files of a run, so that what one of them met the others need not meet.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from . import Listener
from .retry import Patience


@dataclass
class Record:
    """One source. `rate` is of one stream of it, in bytes per second, 0 before it is known."""

    name: str
    endpoint: str
    rate: float = 0.0
    delivered: int = 0
    wrong: int = 0
    rests_until: float = 0.0
    trouble: str = ""
    has_helped: bool = False

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The better the record, the smaller: alive, never wrong, much delivered."""
        return bool(self.trouble), self.wrong, -self.delivered


@dataclass
class Records:
    """All sources by name."""

    listener: Listener
    sources: dict[str, Record]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._patience = Patience(self.listener.waits)

    def came(self, name: str, count: int, rate: float) -> None:
        """A stream of this source has brought so many more bytes."""
        record = self.sources[name]
        with self._lock:
            record.rate, record.trouble = rate, ""
            record.delivered += count
        self._patience.came()
        self.listener.carried(name, count)

    def failed(self, name: str, reason: str, text: str) -> None:
        """It failed; said once while it goes on failing for the same reason."""
        record = self.sources[name]
        with self._lock:
            new = record.trouble != reason
            record.trouble = reason
        if new:
            self.listener.say(f"{record.endpoint}: {text}")

    def helps(self, name: str, text: str) -> None:
        """It is asked although another source is at work; said the first time."""
        with self._lock:
            new, self.sources[name].has_helped = not self.sources[name].has_helped, True
        if new:
            self.listener.say(text)

    def lied(self, name: str, text: str) -> None:
        """It gave wrong bytes; what is said of it, if anything, is `text`."""
        with self._lock:
            self.sources[name].wrong += 1
        if text:
            self.listener.say(text)

    def rest(self, name: str, seconds: float) -> None:
        """No file need ask it for so long."""
        with self._lock:
            self.sources[name].rests_until = time.monotonic() + seconds

    def still_nothing(self) -> None:
        """Somebody waits for a line. Said once a minute."""
        self._patience.still_nothing(self._troubles)

    def _troubles(self) -> str:
        with self._lock:
            return "; ".join(f"{r.endpoint}: {r.trouble}" for r in self.sources.values() if r.trouble)
