"""A hub's model whose files lie in the mounted folder already, all or some: those are used, the rest fetched.

Every file is held to the list; one that differs is fetched as if it were not there, and what has come of it
already is given up only for a file that is right. The list itself comes
from the folder where tools noted the Hub's digests of a whole model, and where no hub gives one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from model_files import on_disk
from model_files.on_disk import ModelOnDisk

from ..digests import Found, difference, hash_file
from ..errors import DiskFailure, ModelInitError, NoNetwork
from ..file_list import FileList, ListedFile
from ..report.console import human_bytes
from ..settings import Settings
from ..volume.sink import Sink
from . import Say, Source
from .folder import FolderSource, copy, unreadable
from .pinned_models import pinned_list

# so often the hubs are asked again for the list of a model that is here whole
LIST_RETRIES = 1


def model_here(settings: Settings) -> ModelOnDisk | None:
    """The model in the mounted folder, if there is one.

    Raises:
        SettingsError: the folder is closed to us: whoever named it wants it used.
    """
    try:
        return on_disk.find(settings.import_dir, settings.model_id, settings.revision)
    except PermissionError as error:
        raise unreadable(settings, error) from error
    except OSError:
        return None


class HereFirst:
    """See `sources.Source`. `make_inner` makes the hubs, or what stands for them offline."""

    def __init__(
        self, make_inner: Callable[[Settings], Source], here: ModelOnDisk, settings: Settings, say: Say
    ) -> None:
        self._make_inner, self._inner = make_inner, make_inner(settings)
        self._here, self._settings, self._say = here, settings, say
        self._root = settings.import_dir
        self._judged: set[str] = set()
        self._given: set[str] = set()
        self.spare_tries = self._inner.spare_tries

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`."""
        found = pinned_list(self._settings) or self._own_list(known=True)
        if found is None:
            found = self._list_of_others()
        usable = [file for file in found.files if self._path(file)]
        size = human_bytes(sum(file.size for file in usable))
        count = f"{len(usable)} of {len(found.files)} files"
        self._say(f"found {count}, {size}, in {self._here.folder}: they are verified and used, not fetched")
        return found

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`."""
        path = None if file.path in self._judged else self._path(file)
        if path is not None:
            self._judged.add(file.path)
            wrong = self._use(path, file, sink, progress)
            if wrong is None:
                self._given.add(file.path)
                return
            self._say(f"{path}: {wrong}; not used")
        self._inner.fetch(revision, file, sink, progress)

    def doubt(self, file: ListedFile, sink: Sink) -> str | None:
        """See `sources.Source.doubt`."""
        return self._inner.doubt(file, sink)

    def rejected(self, file: ListedFile, sink: Sink) -> str:
        """See `sources.Source.rejected`."""
        return self._inner.rejected(file, sink)

    def proven(self, file: ListedFile, sink: Sink) -> str:
        """See `sources.Source.proven`."""
        return str(self._here.folder) if file.path in self._given else self._inner.proven(file, sink)

    def _list_of_others(self) -> FileList:
        """The hubs' list. Where the folder holds the whole model, a dead line is not waited for."""
        own = self._own_list(known=False)
        if own is None:
            return self._inner.file_list()
        retries = LIST_RETRIES if self._settings.retries is None else self._settings.retries
        try:
            return self._make_inner(replace(self._settings, retries=retries)).file_list()
        except NoNetwork as error:
            self._say(f"{error}; the model in {self._root} is taken as it is")
            return own

    def _own_list(self, *, known: bool) -> FileList | None:
        """The folder's own list, if it holds the whole model; `known`: only with the Hub's digests."""
        try:
            found = FolderSource(self._settings).file_list()
        except ModelInitError:
            return None
        return replace(found, source=self._settings.source, origins=()) if found.known or not known else None

    def _path(self, file: ListedFile) -> Path | None:
        """Where a file of this name and size lies in the folder, behind links that stay in it."""
        path = self._here.folder / file.path
        try:
            inside = path.resolve().is_relative_to(self._root.resolve())
            return path if inside and path.is_file() and path.stat().st_size == file.size else None
        except OSError:
            return None

    def _use(self, path: Path, file: ListedFile, sink: Sink, progress: Callable[[int], None]) -> str | None:
        """Copy the file; how it differs from the list, or why it could not be read, if so."""

        def copied() -> Found:
            copy(path, sink, progress)
            return sink.found()

        if sink.size:
            wrong = self._differs(file, lambda: hash_file(path, file, lambda _: progress(sink.size)))
            if wrong:
                return wrong
        sink.restart()
        wrong = self._differs(file, copied)
        if wrong:
            sink.restart()
        return wrong

    def _differs(self, file: ListedFile, read: Callable[[], Found]) -> str | None:
        try:
            return difference(file, read())
        except PermissionError as error:
            raise unreadable(self._settings, error) from error
        except OSError as error:
            return f"expected a readable file, found: {error.strerror}"
        except DiskFailure as error:
            return str(error)
