"""One file's way here from several sources. Owns who is asked, when more than one is, and who is given up.

The first source that need not rest is asked for all of the file. When that takes longer than a moment, the
others are asked for parts of it, too (see `shares`). One that fails goes to the end of the line and rests
with growing pauses; without an end, unless MODEL_RETRIES sets one. Bytes that were wrong come again from one
source alone, the one with the best record.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ..errors import (
    CorruptDownload,
    GatedModel,
    ModelInitError,
    ModelNotFound,
    NoNetwork,
    NoParts,
    OtherFile,
    TransientError,
    Unreachable,
)
from ..file_list import ListedFile
from ..report.console import human_bytes
from ..settings import Settings
from ..volume.sink import Sink
from .carriers import Carrier
from .records import Record, Records
from .refusals import no_network
from .retry import of_so_many, pause_s
from .shares import Share, Shares
from .throttle import Throttle

# so long the first source is alone with a file
HELP_AFTER_S = 1.0
# so often a source may have another file than the listed one
OTHER_FILE_TRIES = 3
# so often in a row the source that is to bring a file alone may fail
ALONE_TRIES = 3
# so often in a row a source may fail before what is there is given up for one that has no parts
HOPE_TRIES = 3
REST_S = 60.0
_TICK_S = 0.25


class Turn:
    """How one source stands with the file."""

    def __init__(self, carrier: Carrier, record: Record) -> None:
        self.carrier, self.record = carrier, record
        self.name = carrier.place.name
        self.share: Share | None = None
        self.counted = 0
        self.not_before = 0.0
        self.failures = 0
        self.has_no_parts = False
        self.out: ModelInitError | None = None

    @property
    def due(self) -> float:
        """When it may be asked."""
        return max(self.not_before, self.record.rests_until)

    @property
    def working(self) -> bool:
        """Whether it has something to bring."""
        return self.share is not None and self.share.left > 0

    @property
    def may_go_on(self) -> bool:
        """Whether it can be hoped to go on with what is there."""
        return self.out is None and not self.has_no_parts and self.failures < HOPE_TRIES

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """The better it is for this file, the smaller."""
        return (self.out is not None, *self.record.rank)


class Course:
    """See the module. `fetch` is one try at the whole file; the next one knows what the last one met."""

    def __init__(
        self,
        file: ListedFile,
        carriers: list[Carrier],
        settings: Settings,
        records: Records,
        throttle: Throttle,
    ) -> None:
        self.turns = [Turn(carrier, records.sources[carrier.place.name]) for carrier in carriers]
        self.alone: Turn | None = None
        self._file, self._settings, self._records, self._throttle = file, settings, records, throttle
        self._ended: queue.SimpleQueue[tuple[Turn, Share, BaseException | None]] = queue.SimpleQueue()
        self._began = 0.0

    def fetch(self, revision: str | None, sink: Sink, progress: Callable[[int], None]) -> None:
        """Bring what is missing. See `sources.Source.fetch`."""
        shares = Shares(self._file, sink)
        for turn in self.turns:
            turn.share = None
        self._ended, self._began = queue.SimpleQueue(), time.monotonic()
        try:
            while shares.size < self._file.size:
                self._put_to_work(shares, revision)
                with suppress(queue.Empty):
                    self._end(*self._ended.get(timeout=self._wait_s()))
                for turn in self.turns:
                    if turn.share:
                        self._note(turn, turn.share)
                progress(shares.size)
        finally:
            shares.close()

    def best(self) -> Turn:
        """The one with the best record, for this file."""
        return min(self.turns, key=lambda turn: turn.rank)

    def _put_to_work(self, shares: Shares, revision: str | None) -> None:
        if all(turn.out for turn in self.turns):
            raise worst([turn.out for turn in self.turns if turn.out])
        now = time.monotonic()
        able = [turn for turn in self.turns if turn.out is None and turn.share is None and turn.due <= now]
        if self.alone and (self.alone.out or self.alone.failures >= ALONE_TRIES):
            self.alone = None
        if self.alone:
            able = [turn for turn in able if turn is self.alone]
        elif any(turn.working for turn in self.turns):
            if now - self._began < HELP_AFTER_S:
                return
            able = [turn for turn in able if not turn.record.wrong]
        else:
            able = sorted(able, key=lambda turn: turn.record.wrong)[:1]
        for turn in able:
            share = shares.take(turn.name, turn.record.rate)
            if share:
                share.may_start_over = not any(t.may_go_on for t in self.turns if t is not turn)
                self._tell_of_help(turn)
                self._start(turn, share, shares, revision)
        if not any(turn.working for turn in self.turns):
            self._records.still_nothing()

    def _start(self, turn: Turn, share: Share, shares: Shares, revision: str | None) -> None:
        """A stream: a thread that reads into the share and says how it ended."""
        ended = self._ended

        def run() -> None:
            error: BaseException | None = None
            try:
                turn.carrier.deliver(revision, self._file, share, self._throttle)
            except BaseException as raised:
                error = raised
            shares.end(share)
            ended.put((turn, share, error))

        turn.share, turn.counted = share, 0
        threading.Thread(target=run, name=f"{turn.name} {self._file.path}", daemon=True).start()

    def _tell_of_help(self, helper: Turn) -> None:
        first = next((turn for turn in self.turns if turn.working and turn is not helper), None)
        if first and first.share:
            rate = human_bytes(first.share.rate())
            self._records.helps(
                helper.name,
                f"{self._file.path}: {rate}/s from {first.name}; taking parts of it from {helper.name}, too "
                "(MODEL_SOURCES chooses who is asked)",
            )

    def _wait_s(self) -> float:
        """Until when nothing is to be done unless a stream ends."""
        now = time.monotonic()
        dues = [turn.due - now for turn in self.turns if turn.out is None and turn.share is None]
        return max(0.0, min([_TICK_S, *(due for due in dues if due > 0)]))

    def _note(self, turn: Turn, share: Share) -> None:
        """Tell the records what has come since the last time."""
        new, turn.counted = share.got - turn.counted, share.got
        if not new:
            return
        self._records.came(turn.name, new, share.rate())
        if share.position > share.given_up:
            turn.failures = 0

    def _end(self, turn: Turn, share: Share, error: BaseException | None) -> None:
        """A stream has ended: note one failure, if it was one."""
        self._note(turn, share)
        turn.share = None
        if error is None or (isinstance(error, TransientError) and not share.left):
            return
        if not isinstance(error, (TransientError, GatedModel, ModelNotFound, NoNetwork)):
            raise error
        if self.alone is None:
            self.turns.sort(key=lambda other: other is turn)
        turn.failures += 1
        turn.has_no_parts = turn.has_no_parts or isinstance(error, NoParts)
        if not isinstance(error, TransientError):
            turn.out = error
            self._records.failed(turn.name, str(error), str(error))
            return
        text = f"{self._file.path}: {error}"
        given_up = self._given_up(turn, error)
        if given_up:
            turn.out = given_up
            self._records.failed(turn.name, "", f"{text}; given up after {turn.failures} tries")
            return
        wait = pause_s(error, turn.failures, self._settings.retry_wait_s)
        turn.not_before = time.monotonic() + wait
        others = [t for t in self.turns if t.out is None and t is not turn] if self.alone is None else []
        if others and isinstance(error, NoParts):
            turn.not_before += REST_S
        elif others and (isinstance(error, Unreachable) or error.retry_after_s):
            self._records.rest(turn.name, error.retry_after_s or REST_S)
        then = f"trying again in {wait:.0f} s"
        if others:
            following = min(others, key=lambda other: max(other.due, time.monotonic()))
            then = f"going on with {following.record.endpoint}"
        tries = of_so_many(turn.failures, self._settings)
        self._records.failed(turn.name, str(error), f"{text}; {then}{tries}")

    def _given_up(self, turn: Turn, error: TransientError) -> ModelInitError | None:
        """What it means that a source has failed so often; None: it is asked again."""
        retries = self._settings.retries
        if isinstance(error, OtherFile):
            if turn.failures < min(OTHER_FILE_TRIES, OTHER_FILE_TRIES if retries is None else retries + 1):
                return None
            return CorruptDownload(
                f"corrupt download: {self._file.path}: {error}, {turn.failures} times, from "
                f"{turn.carrier.place.endpoint}. Start again later, or use another source (MODEL_SOURCES, "
                "HF_ENDPOINT)"
            )
        if retries is None or turn.failures <= retries:
            return None
        return no_network(turn.carrier.place.endpoint, str(error))


def worst(errors: list[ModelInitError]) -> ModelInitError:
    """The error that says most: one of a source that did answer, else the first; with all others' words."""
    main = next((error for error in errors if not isinstance(error, NoNetwork)), errors[0])
    others = [str(error).split(";")[0] for error in errors if error is not main]
    return type(main)("; besides: ".join([str(main), *others]))
