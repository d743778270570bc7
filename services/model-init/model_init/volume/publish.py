"""Gives proven files their names. Owns the order that keeps a half-published model from looking complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NoReturn

from ..digests import stat_mark
from ..file_list import ListedFile
from .layout import ModelFolder, sync_folder
from .manifest import Manifest, ManifestFile


def publish_files(
    folder: ModelFolder,
    listed: Iterable[ListedFile],
    fetched: Iterable[ListedFile],
    known: Manifest | None,
    proven: dict[str, ManifestFile],
) -> tuple[ManifestFile, ...]:
    """Rename what was fetched and drop what only the older manifest knows.

    The manifest is void until the caller writes the new one. A running engine keeps the files that it has
    open.

    Args:
        proven: digests of all listed files, wherever they lie; gets the marks of the renamed ones.
    """
    listed = list(listed)
    folder.retract_manifest()
    for file in fetched:
        folder.publish(file)
        _, mark = stat_mark(folder.final(file)) or vanished(file)
        # renaming changes ctime
        proven[file.path] = replace(proven[file.path], stat=mark)
    names = {file.path for file in listed}
    for old in known.file_list().files if known else ():
        if old.path not in names:
            folder.final(old).unlink(missing_ok=True)
    sync_folder(folder.path)
    return tuple(proven[file.path] for file in listed)


def vanished(file: ListedFile) -> NoReturn:
    """A file that was there a moment ago is gone."""
    raise FileNotFoundError(f"{file.path} vanished from the models volume while model-init worked")
