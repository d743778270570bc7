"""One file, several sources at once: which bytes each of them brings. Owns who has what, and who takes over.

The first to come gets all that is missing. Who comes later, or has done its part, takes over the end of the
share that would take longest, so much of it that both end together by what they carried so far; of a source
that falls silent, all. So every source brings what it can, with few requests, and none is waited for.
"""

from __future__ import annotations

import math
import threading
import time

from ..file_list import ListedFile
from ..rate import RateMeter
from ..volume.sink import Sink

# less than this is not worth another request
WORTH_S = 2.0
WORTH_BYTES = 64 * 1024
SILENT_S = 3.0
# so long a new stream is taken for as fast as its source's others
SETTLED_S = 1.0


class Share:
    """What one stream is to bring: the bytes from `position` to before `stop`, which may come nearer."""

    def __init__(self, shares: Shares, giver: str, start: int, stop: int, expected_rate: float) -> None:
        self.giver, self.position, self.stop = giver, start, stop
        self.got = 0
        # what was given up for it: its bytes are none that count before they are more than that
        self.given_up = 0
        # whether what is there may be given up for what it brings
        self.may_start_over = True
        self._shares = shares
        self._expected_rate, self._meter = expected_rate, RateMeter()
        self._began = self._heard_at = time.monotonic()

    @property
    def to_the_end(self) -> bool:
        """Whether it ends where the file does."""
        return self.stop == self._shares.file.size

    @property
    def left(self) -> int:
        """Bytes still to bring."""
        return self.stop - self.position

    def write(self, chunk: memoryview) -> bool:
        """Take the next bytes. Gives whether more are wanted."""
        return self._shares.write(self, chunk)

    def start_over(self) -> bool:
        """The source only has the file from its first byte on: begin there, if that costs nobody's work."""
        return self._shares.start_over(self)

    def rate(self) -> float:
        """Bytes per second of late, at first what the source is known for; 0 for one that is silent."""
        measured = self._meter.update(self.got) or 0.0
        if self.silent():
            return 0.0
        is_new = time.monotonic() - self._began < SETTLED_S
        return max(measured, self._expected_rate) if is_new else measured

    def silent(self) -> bool:
        """Whether nothing came for a while."""
        return time.monotonic() - self._heard_at > SILENT_S

    def heard(self, count: int) -> None:
        """So many bytes came."""
        self.position += count
        self.got += count
        self._heard_at = time.monotonic()


class Shares:
    """All shares of one file."""

    def __init__(self, file: ListedFile, sink: Sink) -> None:
        self.file = file
        self._sink = sink
        self._lock = threading.Lock()
        self._taken: list[Share] = []
        self._closed = False

    @property
    def size(self) -> int:
        """Bytes of the file that are there."""
        with self._lock:
            return self._sink.size

    def take(self, giver: str, rate: float) -> Share | None:
        """Something for a source that brings about so many bytes per second (0: not known); None when what
        is left is not worth its while."""
        with self._lock:
            free = self._free()
            if free:
                share = Share(self, giver, *free, rate)
            else:
                victim = max(self._taken, key=_seconds_left, default=None)
                cut = _cut(victim, rate) if victim else None
                if victim is None or cut is None:
                    return None
                share, victim.stop = Share(self, giver, cut, victim.stop, rate), cut
            self._taken.append(share)
            return share

    def write(self, share: Share, chunk: memoryview) -> bool:
        """See `Share.write`."""
        with self._lock:
            wanted = 0 if self._closed else min(len(chunk), share.left)
            if wanted > 0:
                self._sink.write(chunk[:wanted], share.position, share.giver)
                share.heard(wanted)
            return not self._closed and share.left > 0

    def start_over(self, share: Share) -> bool:
        """See `Share.start_over`."""
        with self._lock:
            others_work = any(other.left for other in self._taken if other is not share)
            if self._closed or others_work or not share.left or not share.may_start_over:
                return False
            share.given_up = self._sink.size
            self._sink.restart()
            share.position, share.stop = 0, self.file.size
            return True

    def end(self, share: Share) -> None:
        """Its stream has ended; what it did not bring is free for others."""
        with self._lock:
            self._taken.remove(share)

    def close(self) -> None:
        """Nothing is written any more, whoever still sends."""
        with self._lock:
            self._closed = True

    def _free(self) -> tuple[int, int] | None:
        """The first bytes that are missing and that nobody brings."""
        for start, stop in self._sink.gaps():
            for share in sorted(self._taken, key=lambda share: share.position):
                if share.left and start <= share.position < stop:
                    if share.position > start:
                        return start, share.position
                    start = share.stop
            if start < stop:
                return start, stop
        return None


def _seconds_left(share: Share) -> float:
    rate = share.rate()
    if not share.left:
        return 0.0
    return share.left / rate if rate else math.inf


def _cut(victim: Share, rate: float) -> int | None:
    """Where a share is to end for one who brings so much; None when that is not worth it."""
    if not victim.left or _seconds_left(victim) < WORTH_S:
        return None
    if victim.silent():
        return victim.position
    if victim.left < WORTH_BYTES:
        return None
    theirs = victim.rate()
    part = theirs / (theirs + rate) if theirs and rate else 0.5
    return victim.position + int(victim.left * part)
