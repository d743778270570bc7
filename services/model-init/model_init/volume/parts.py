"""Which bytes of an unfinished file are there, and who gave them. Owns the parts, their note on disk, gaps.

A file that grew from its start needs no note: its length says it all. One with gaps has, behind its last
byte, one line of JSON with its parts; an older model-init takes such a file for too long and starts it over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

EARLIER = "an earlier start"
MAX_NOTE_BYTES = 256 * 1024


@dataclass
class Part:
    """Bytes from `start` to before `stop`, all from one giver."""

    start: int
    stop: int
    giver: str


class Parts:
    """Parts of a file, in order, none over another."""

    def __init__(self, parts: list[Part] | None = None) -> None:
        self._parts = parts or []

    @classmethod
    def from_note(cls, note: bytes, size: int) -> Parts | None:
        """What a note says; None when it can't be one of a file of this size."""
        try:
            parts = [Part(int(start), int(stop), str(giver)) for start, stop, giver in json.loads(note)]
        except (ValueError, TypeError):
            return None
        edges = [edge for part in parts for edge in (part.start, part.stop)]
        good = edges == sorted(edges) and all(0 <= edge <= size for edge in edges)
        return cls(parts) if good else None

    def note(self) -> bytes:
        """One line, to be read by `from_note`."""
        return (
            json.dumps([[p.start, p.stop, p.giver] for p in self._parts], ensure_ascii=False).encode() + b"\n"
        )

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return sum(part.stop - part.start for part in self._parts)

    @property
    def prefix(self) -> int:
        """Bytes from the start of the file on without a gap."""
        end = 0
        for part in self._parts:
            if part.start > end:
                break
            end = part.stop
        return end

    @property
    def whole(self) -> bool:
        """Without a gap before its last byte."""
        return self.prefix == self.size

    def add(self, start: int, stop: int, giver: str) -> None:
        """These bytes, which were missing, are there now."""
        at = next((i for i, part in enumerate(self._parts) if part.start >= start), len(self._parts))
        before = self._parts[at - 1] if at else None
        if before and (before.stop, before.giver) == (start, giver):
            before.stop = stop
        else:
            before = Part(start, stop, giver)
            self._parts.insert(at, before)
            at += 1
        if at < len(self._parts) and (self._parts[at].start, self._parts[at].giver) == (stop, giver):
            before.stop = self._parts.pop(at).stop

    def givers(self) -> dict[str, int]:
        """Who gave how many bytes."""
        given: dict[str, int] = {}
        for part in self._parts:
            given[part.giver] = given.get(part.giver, 0) + part.stop - part.start
        return given

    def drop(self, keep: str) -> list[Part]:
        """Count all that others than `keep` gave as missing; gives what that was."""
        dropped = [part for part in self._parts if part.giver != keep]
        self._parts = [part for part in self._parts if part.giver == keep]
        return dropped

    def shorten(self, count: int) -> int:
        """Count so many of the last bytes as missing, of the last part only; gives where it ends now."""
        if not self._parts:
            return 0
        last = self._parts[-1]
        last.stop = max(last.start, last.stop - count)
        return last.stop

    def cut(self) -> int:
        """Count all behind the first gap as missing; gives where it ends now."""
        end = self.prefix
        self._parts = [part for part in self._parts if part.stop <= end]
        return end

    def gaps(self, size: int) -> list[tuple[int, int]]:
        """What is missing of a file of this size, from start to before stop."""
        gaps, end = [], 0
        for part in self._parts:
            if part.start > end:
                gaps.append((end, part.start))
            end = part.stop
        return [*gaps, (end, size)] if end < size else gaps
