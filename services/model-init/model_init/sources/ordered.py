"""Several hubs in order, for each file: one that fails is left for the next, in the middle of the file.

Owns who is asked next, how long who is left alone, and when to give up. One file list is the truth for all:
the shipped one, or that of the first hub that gives one (`listing`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import (
    CorruptDownload,
    GatedModel,
    ModelInitError,
    ModelNotFound,
    NoNetwork,
    OtherFile,
    TransientError,
    Unreachable,
)
from ..file_list import FileList, ListedFile
from ..settings import Settings
from ..volume.sink import Sink
from .carriers import Carrier, make_carriers
from .listing import ask_for_list
from .pinned_models import pinned_list
from .place import Place
from .refusals import no_network
from .retry import pause_s
from .throttle import Throttle

REST_S = 60.0


@dataclass
class _Turn:
    """How one source stands with one file."""

    carrier: Carrier
    not_before: float = 0.0
    failures: int = 0
    furthest: int = 0
    out: ModelInitError | None = None

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.carrier.place


@dataclass
class _Course:
    """One file's sources in the order of their next turn, and who delivered the bytes at hand."""

    turns: list[_Turn]
    givers: set[str] = field(default_factory=set)
    one_only: bool = False


class OrderedHubs:
    """See `sources.Source`."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._carriers = make_carriers(settings)
        self._throttle = Throttle(settings.bandwidth_limit)
        self._lock = threading.Lock()
        self._resting: dict[str, float] = {}
        self._courses: dict[str, _Course] = {}
        self.spare_tries = len(self._carriers) - 1

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`."""
        return pinned_list(self._settings) or ask_for_list(self._settings, self._say)

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`."""
        course = self._courses.setdefault(file.path, _Course([_Turn(carrier) for carrier in self._carriers]))
        if sink.size:
            course.givers.add("an earlier start")
        while not file.size or sink.size < file.size:
            turn = self._next(course)
            time.sleep(max(0.0, self._due(turn) - time.monotonic()))
            if course.one_only and course.givers - {turn.place.name}:
                sink.restart()
            if not sink.size:
                course.givers.clear()
            before = sink.size
            try:
                turn.carrier.deliver(revision, file, sink, progress, self._throttle)
                return
            except (TransientError, GatedModel, ModelNotFound, NoNetwork) as error:
                self._failed(course, turn, error, file, sink)
            finally:
                if sink.size != before or not file.size:
                    course.givers.add(turn.place.name)

    def rejected(self, file: ListedFile) -> str:
        """See `sources.Source.rejected`: who gave wrong bytes is asked last, and no bytes are mixed again."""
        course = self._courses[file.path]
        course.turns.sort(key=lambda turn: turn.place.name in course.givers and len(course.givers) == 1)
        givers = ", ".join(sorted(course.givers))
        course.one_only = True
        course.givers.clear()
        return givers

    def givers(self, file: ListedFile) -> str:
        """See `sources.Source.givers`."""
        return ", ".join(sorted(self._courses[file.path].givers))

    def _next(self, course: _Course) -> _Turn:
        """Who is asked next: the first who need not rest; whole files from one source keep to that source."""
        turns = [turn for turn in course.turns if turn.out is None]
        if not turns:
            raise _worst([turn.out for turn in course.turns if turn.out])
        if course.one_only:
            return turns[0]
        now = time.monotonic()
        return min(turns, key=lambda turn: max(0.0, self._due(turn) - now))

    def _due(self, turn: _Turn) -> float:
        with self._lock:
            return max(turn.not_before, self._resting.get(turn.place.name, 0.0))

    def _failed(
        self,
        course: _Course,
        turn: _Turn,
        error: TransientError | GatedModel | ModelNotFound | NoNetwork,
        file: ListedFile,
        sink: Sink,
    ) -> None:
        """Note one failure: the source goes to the end of this file's line, rests, or is out."""
        if not course.one_only:
            course.turns.sort(key=lambda other: other is turn)
        if sink.size > turn.furthest:
            turn.failures, turn.furthest = 0, sink.size
        turn.failures += 1
        where = turn.place.endpoint
        if not isinstance(error, TransientError):
            turn.out = error
            self._say(f"{where}: {error}")
            return
        if turn.failures > self._settings.retries:
            turn.out = _given_up(turn, error, file)
            self._say(f"{where}: {file.path}: {error}; given up after {turn.failures} tries")
            return
        wait = pause_s(error, turn.failures, self._settings.retry_wait_s)
        turn.not_before = time.monotonic() + wait
        others = not course.one_only and any(t.out is None and t is not turn for t in course.turns)
        if others and (isinstance(error, Unreachable) or error.retry_after_s):
            with self._lock:
                self._resting[turn.place.name] = time.monotonic() + min(error.retry_after_s or REST_S, REST_S)
        then = (
            f"going on with {self._next(course).place.endpoint}"
            if others
            else f"trying again in {wait:.0f} s"
        )
        self._say(f"{where}: {file.path}: {error}; {then} ({turn.failures} of {self._settings.retries})")


def _given_up(turn: _Turn, error: TransientError, file: ListedFile) -> ModelInitError:
    if isinstance(error, OtherFile):
        return CorruptDownload(
            f"corrupt download: {file.path}: {error}, {turn.failures} times, from "
            f"{turn.place.endpoint}. Start again later, or use another source (MODEL_SOURCES, "
            "HF_ENDPOINT)"
        )
    return no_network(turn.place.endpoint, str(error))


def _worst(errors: list[ModelInitError]) -> ModelInitError:
    """The error that says most: one of a source that did answer, else the first; with all others' words."""
    main = next((error for error in errors if not isinstance(error, NoNetwork)), errors[0])
    others = [str(error).split(";")[0] for error in errors if error is not main]
    return type(main)("; besides: ".join([str(main), *others]))
