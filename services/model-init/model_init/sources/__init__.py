"""Where models come from: one small protocol; each module speaks to one kind of place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..file_list import FileList, ListedFile
from ..settings import Settings
from ..volume.sink import Sink

Say = Callable[[str], None]


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

    def rejected(self, file: ListedFile) -> str:
        """The bytes that `fetch` gave were wrong. Returns who gave them, for people ("" when there is one
        place)."""
        ...

    def givers(self, file: ListedFile) -> str:
        """Who gave the bytes at hand, for people ("" when there is one place)."""
        ...


class OnePlace:
    """What a source with a single place says of its bytes. To inherit from."""

    spare_tries = 0

    def rejected(self, file: ListedFile) -> str:
        """See `Source.rejected`."""
        return ""

    def givers(self, file: ListedFile) -> str:
        """See `Source.givers`."""
        return ""


def make_source(settings: Settings, say: Say) -> Source:
    """The source that the settings name. Clients are imported only here: a start that needs none is quick."""
    if settings.source == "folder":
        from .folder import FolderSource

        return FolderSource(settings)
    source = _away(settings, say)
    if settings.source == "hub":
        from .here_first import HereFirst, model_here

        here = model_here(settings)
        return HereFirst(source, here, settings, say) if here else source
    return source


def _away(settings: Settings, say: Say) -> Source:
    """What is not on this machine."""
    if settings.offline:
        from .offline import OfflineSource

        return OfflineSource(settings)
    if settings.source == "pypi":
        from .pypi import PypiSource

        return PypiSource(settings)
    from .ordered import OrderedHubs

    return OrderedHubs(settings, say)
