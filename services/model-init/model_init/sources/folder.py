"""A local folder mounted at /import, for sites without internet. Reads it, never writes it.

A manifest.json in it (as model-init writes them) makes its digests the expectation; without one, the files
are taken as they are, their digests are recorded on reading, and only their structure is proven. A cache that
the Hub's own tools filled is read by `hub_cache`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..digests import READ_BYTES
from ..errors import InvalidModel, ModelNotFound
from ..file_list import FileList, ListedFile
from ..selection import select_files
from ..settings import Settings
from ..volume import manifest
from ..volume.sink import Sink
from . import OnePlace


def is_hub_cache(folder: Path) -> bool:
    """Whether it holds models as a cache does."""
    return any(folder.glob("models--*/snapshots"))


class FolderSource(OnePlace):
    """See `sources.Source`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = self._files_at = settings.import_dir

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`."""
        if not self._root.is_dir() or not any(self._root.iterdir()):
            found = "an empty folder" if self._root.is_dir() else "no folder"
            raise ModelNotFound(
                f"no model: expected its files in {self._root}, found {found}; "
                "set MODEL_FOLDER to the folder that holds them"
            )
        carried = manifest.read(self._root / "manifest.json")
        files = self._listed() if carried is None else self._stated(carried)
        revision = self._settings.revision if carried is None else carried.revision
        return FileList("folder", self._settings.model_format, revision, files)

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`."""
        path = self._inside(file.path)
        sink.restart()
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(READ_BYTES):
                    sink.write(chunk)
                    progress(sink.size)
        except FileNotFoundError as error:
            raise ModelNotFound(
                f"no such file: expected {path}, found none; put it there or mount the complete folder"
            ) from error

    def _listed(self) -> tuple[ListedFile, ...]:
        names = [path.name for path in self._root.iterdir() if path.is_file()]
        chosen, _ = select_files(names, self._settings.model_format, self._settings.gguf_file)
        return tuple(ListedFile(name, self._inside(name).stat().st_size, None) for name in chosen)

    def _stated(self, carried: manifest.Manifest) -> tuple[ListedFile, ...]:
        expected = (self._settings.model_id, self._settings.model_format)
        found = (carried.model_id, carried.model_format)
        if expected != found:
            raise ModelNotFound(
                f"no such model: expected {' as '.join(expected)} in {self._root}, found a manifest of "
                f"{' as '.join(found)}; mount the right folder or correct MODEL_ID and MODEL_FORMAT"
            )
        listed = {file.path: file for file in carried.file_list().files}
        chosen, _ = select_files(list(listed), self._settings.model_format, self._settings.gguf_file)
        return tuple(listed[name] for name in chosen)

    def _inside(self, name: str) -> Path:
        """The file, which may be a link only to something inside the folder."""
        path = self._files_at / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise InvalidModel(
                f"expected {name} to lie inside {self._root}, found a link out of it; copy the file"
            )
        return path
