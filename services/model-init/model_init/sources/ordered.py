"""Several hubs for a model: whose list counts, and what is learnt of them from the bytes that they gave.

One file list is the truth for all: the shipped one, or that of the first hub that gives one (`listing`). How
a file's bytes come from several of them is `course`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from ..file_list import FileList, ListedFile
from ..report.console import human_bytes
from ..settings import Settings
from ..volume.parts import EARLIER
from ..volume.sink import Sink
from . import Listener
from .carriers import make_carriers
from .course import Course
from .listing import ask_for_list
from .pinned_models import pinned_list
from .records import Record, Records
from .throttle import Throttle


class OrderedHubs:
    """See `sources.Source`."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings, self._listener = settings, listener
        self._carriers = make_carriers(settings)
        self._throttle = Throttle(settings.bandwidth_limit)
        places = [carrier.place for carrier in self._carriers]
        self._records = Records(listener, {p.name: Record(p.name, p.endpoint) for p in places})
        self._courses: dict[str, Course] = {}
        self.spare_tries = len(self._carriers) - 1

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`."""
        return pinned_list(self._settings) or ask_for_list(self._settings, self._listener)

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`."""
        self._course(file).fetch(revision, sink, progress)

    def doubt(self, file: ListedFile, sink: Sink) -> str | None:
        """See `sources.Source.doubt`: all that the best source did not give comes again, from that source."""
        givers = sink.givers()
        if len(givers) < 2:
            return None
        course = self._course(file)
        best = course.best()
        course.alone = best
        sink.doubt(best.name)
        return (
            f"{file.path}: its parts, from {_names(givers)}, make a wrong whole; taking from {best.name} "
            "again what others gave"
        )

    def rejected(self, file: ListedFile, sink: Sink) -> str:
        """See `sources.Source.rejected`: who gave it is asked last, and no bytes are mixed again."""
        givers = sink.givers()
        for name in givers:
            if name in self._records.sources:
                self._records.lied(name, "")
        course = self._course(file)
        course.alone = course.best()
        return _names(givers)

    def proven(self, file: ListedFile, sink: Sink) -> str:
        """See `sources.Source.proven`. Whose doubted bytes differ from the right ones lied."""
        for name, at in sink.differences.items():
            if name in self._records.sources:
                endpoint = self._records.sources[name].endpoint
                self._records.lied(
                    name,
                    f"{endpoint} gave wrong bytes, from byte {at} of {file.path} on; others are asked "
                    "instead",
                )
        givers = sink.givers()
        if len(givers) < 2:
            return _names(givers)
        shares = sorted(givers.items(), key=lambda giver: -giver[1])
        return ", ".join(f"{name} ({human_bytes(count)})" for name, count in shares)

    def _course(self, file: ListedFile) -> Course:
        if file.path not in self._courses:
            self._courses[file.path] = Course(
                file, self._carriers, self._settings, self._records, self._throttle
            )
        return self._courses[file.path]


def _names(givers: dict[str, int]) -> str:
    return ", ".join(sorted(givers, key=lambda name: (name == EARLIER, name)))
