"""OFFLINE=1: no source at all. Knows the shipped file lists, imports no network code, opens no socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from ..errors import NoNetwork
from ..file_list import FileList, ListedFile
from ..settings import Settings
from ..volume.sink import Sink
from . import OnePlace
from .pinned_models import pinned_list


class OfflineSource(OnePlace):
    """See `sources.Source`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`."""
        return pinned_list(self._settings) or self._refuse("its file list")

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`."""
        self._refuse(file.path)

    def _refuse(self, what: str) -> NoReturn:
        raise NoNetwork(
            f"offline: expected {self._settings.model_id} complete on the models volume, found {what} "
            "missing, and OFFLINE=1 forbids every connection; import it (scripts/appliance model "
            "import), use MODEL_SOURCE=folder, or unset OFFLINE"
        )
