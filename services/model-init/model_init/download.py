"""Brings files from a source into their `.partial`, proven: fetch, compare, and if need be once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
        fetched = _fetch_once(source, revision, file, folder, reporter, check)
        came_from = f" from {fetched.givers}" if fetched.givers else ""
        found, wrong = fetched.found, fetched.wrong
        if wrong is None:
            for damaged in bad:
                reporter.repaired(file.path, found.sha256, damaged.sha256)
            fetched.progress.finished()
            came_from = came_from and f",{came_from}"
            reporter.say(f"fetched {file.path}: {human_bytes(found.size)}, sha256 {found.sha256}{came_from}")
            return found
        bad.append(found)
        kept = folder.quarantine(folder.partial(file), file.path, f"sha256-{found.sha256}")
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


@dataclass(frozen=True)
class _Fetched:
    """What came, how it differs from the list, if it does, and who gave it."""

    progress: FileProgress
    found: Found
    wrong: str | None
    givers: str


def _fetch_once(
    source: Source,
    revision: str | None,
    file: ListedFile,
    folder: ModelFolder,
    reporter: Reporter,
    check: Check,
) -> _Fetched:
    """One fetch, resuming what is there; of a wrong mixture, the doubtful parts come once more."""
    with Sink(folder.partial(file), file) as sink:
        shown = reporter.file(file.path, file.size, already=sink.size)

        def progress(done: int) -> None:
            check()
            shown.progress(done)

        wrong = _fill(source, revision, file, sink, progress)
        if wrong and (said := source.doubt(file, sink)):
            reporter.say(f"corrupt download: {wrong}: {said}")
            wrong = _fill(source, revision, file, sink, progress)
        givers = source.rejected(file, sink) if wrong else source.proven(file, sink)
        return _Fetched(shown, sink.found(), wrong, givers)


def _fill(
    source: Source, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
) -> str | None:
    """Bring what the sink lacks; gives how that differs from what is listed."""
    try:
        source.fetch(revision, file, sink, progress)
    except SourceSentTooMuch as error:
        return f"expected {file.size} bytes, found {str(error).removeprefix(file.path + ': ')}"
    return difference(file, sink.found())
