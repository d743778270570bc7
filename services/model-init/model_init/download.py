"""Brings files from a source into their `.partial`, proven: fetch, compare, and if need be once more."""

from __future__ import annotations

import os

from .digests import Found, difference
from .errors import CorruptDownload
from .file_list import ListedFile
from .parallel import Check
from .report.console import human_bytes
from .report.reporter import FileProgress, Reporter
from .sources import Source
from .volume.layout import ModelFolder
from .volume.sink import Sink, SourceSentTooMuch

TRIES = 3


def fetch_proven(
    source: Source,
    revision: str | None,
    file: ListedFile,
    folder: ModelFolder,
    reporter: Reporter,
    check: Check,
) -> Found:
    """Fetch one file until its bytes are the listed ones.

    Args:
        check: called for every chunk; what it raises ends the work, and what came stays for the next start.

    Returns:
        Size and digests of the file that now lies, complete and synced, at `folder.partial(file)`.

    Raises:
        CorruptDownload: three tries (more where there are more places to ask) gave wrong bytes.
        ModelInitError: of another kind, from the source.
    """
    tries = TRIES + source.spare_tries
    bad: list[Found] = []
    while True:
        progress, found, wrong = _fetch_once(source, revision, file, folder, reporter, check)
        if wrong is None:
            for damaged in bad:
                reporter.repaired(file.path, found.sha256, damaged.sha256)
            progress.finished()
            givers = source.givers(file)
            came_from = f", from {givers}" if givers else ""
            reporter.say(f"fetched {file.path}: {human_bytes(found.size)}, sha256 {found.sha256}{came_from}")
            return found
        bad.append(found)
        kept = folder.quarantine(folder.partial(file), file.path, f"sha256-{found.sha256}")
        givers = source.rejected(file)
        came_from = f" from {givers}" if givers else ""
        if len(bad) == tries:
            raise CorruptDownload(
                f"corrupt download: {file.path}{came_from}: {wrong}, {tries} times; the last one is kept "
                f"as {kept.relative_to(folder.path)}. Start again later, or use another source "
                "(MODEL_SOURCES, HF_ENDPOINT, MODEL_SOURCE)"
            )
        reporter.say(
            f"corrupt download: {file.path}{came_from}: {wrong}; fetching it again, alone "
            f"({len(bad) + 1} of {tries})"
        )


def _fetch_once(
    source: Source,
    revision: str | None,
    file: ListedFile,
    folder: ModelFolder,
    reporter: Reporter,
    check: Check,
) -> tuple[FileProgress, Found, str | None]:
    """One fetch, resuming what is there; gives what came and how it differs from the list, if it does."""
    with Sink(folder.partial(file), file) as sink:
        shown = reporter.file(file.path, file.size, already=sink.size)
        too_much = None

        def progress(done: int) -> None:
            check()
            shown.progress(done)

        try:
            source.fetch(revision, file, sink, progress)
        except SourceSentTooMuch as error:
            too_much = f"expected {file.size} bytes, found {str(error).removeprefix(file.path + ': ')}"
        found = sink.found()
    on_disk = os.stat(folder.partial(file)).st_size
    wrong = too_much or difference(file, Found(on_disk, found.sha256, found.git_sha1))
    return shown, found, wrong
