"""Where models come from: one small protocol; each module speaks to one kind of place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..file_list import FileList, ListedFile
from ..settings import Settings
from ..volume.sink import Sink

Say = Callable[[str], None]


class Listener(Protocol):
    """Who is told how it goes; may be told from several threads."""

    def say(self, text: str) -> None:
        """One line for people."""
        ...

    def carried(self, source: str, count: int) -> None:
        """A source has brought so many more bytes."""
        ...

    def waits(self, text: str) -> None:
        """Nothing comes, and it is not the end."""
        ...


class Source(Protocol):
    """A place, or several, that can list a model's files and deliver each of them.

    `fetch` is called from several threads, for different files. `spare_tries`: how many more than the usual
    tries wrong bytes deserve, because there are other places to ask.
    """

    spare_tries: int

    def file_list(self) -> FileList:
        """Say which files make up the model, with sizes and, where the place states them, digests.

        Raises:
            ModelInitError: of the kind that fits; transient failures have been retried.
        """
        ...

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """Deliver one file into the sink, resuming what it already holds where the place can.

        Delivers what it gets: whether those are the right bytes is the caller's to check. `progress` is
        called with the absolute number of bytes of this file that are done.

        Raises:
            ModelInitError: of the kind that fits; transient failures have been retried.
        """
        ...

    def doubt(self, file: ListedFile, sink: Sink) -> str | None:
        """The bytes in the sink are wrong. Where they are a mixture, marks those parts as missing that are to
        come again from elsewhere and says so; None: it has to be the whole file."""
        ...

    def rejected(self, file: ListedFile, sink: Sink) -> str:
        """The whole file was wrong. Returns who gave it, for people ("" when there is one place)."""
        ...

    def proven(self, file: ListedFile, sink: Sink) -> str:
        """The whole file is right. Returns who gave it, for people ("" when there is one place)."""
        ...


class OnePlace:
    """What a source with a single place says of its bytes. To inherit from."""

    spare_tries = 0

    def doubt(self, file: ListedFile, sink: Sink) -> str | None:
        """See `Source.doubt`."""
        return None

    def rejected(self, file: ListedFile, sink: Sink) -> str:
        """See `Source.rejected`."""
        return ""

    def proven(self, file: ListedFile, sink: Sink) -> str:
        """See `Source.proven`."""
        return ""


def make_source(settings: Settings, listener: Listener) -> Source:
    """The source that the settings name. Clients are imported only here: a start that needs none is quick."""
    if settings.source == "folder":
        from .folder import FolderSource

        return FolderSource(settings)
    if settings.source == "hub":
        from .here_first import HereFirst, model_here

        here = model_here(settings)
        if here:
            return HereFirst(lambda asked: _away(asked, listener), here, settings, listener.say)
    return _away(settings, listener)


def _away(settings: Settings, listener: Listener) -> Source:
    """What is not on this machine."""
    if settings.offline:
        from .offline import OfflineSource

        return OfflineSource(settings)
    if settings.source == "pypi":
        from .pypi import PypiSource

        return PypiSource(settings, listener)
    from .ordered import OrderedHubs

    return OrderedHubs(settings, listener)
