"""Brings one file from a source into its `.partial`, proven: fetch, compare, and if need be once more."""

from __future__ import annotations

import os

from .console import human_bytes
from .errors import CorruptDownload
from .layout import ModelFolder
from .plan import Plan, PlannedFile
from .reporter import Reporter
from .sink import Sink, SourceSentTooMuch
from .sources import Source
from .verify import Found, difference

TRIES = 3


def fetch_proven(
    source: Source, plan: Plan, file: PlannedFile, folder: ModelFolder, reporter: Reporter
) -> Found:
    """Fetch one file until its bytes are the planned ones.

    Returns:
        Size and digests of the file that now lies, complete and synced, at `folder.partial(file)`.

    Raises:
        CorruptDownload: three tries gave wrong bytes.
        ModelInitError: of another kind, from the source.
    """
    bad: list[Found] = []
    while True:
        found, wrong = _fetch_once(source, plan, file, folder, reporter)
        if wrong is None:
            for damaged in bad:
                reporter.repaired(file.path, found.sha256, damaged.sha256)
            reporter.file_done(found.size)
            reporter.say(f"fetched {file.path}: {human_bytes(found.size)}, sha256 {found.sha256}")
            return found
        bad.append(found)
        kept = folder.quarantine(folder.partial(file), file.path, f"sha256-{found.sha256}")
        if len(bad) == TRIES:
            raise CorruptDownload(
                f"corrupt download: {file.path}: {wrong}, {TRIES} times; the last one is kept as "
                f"{kept.relative_to(folder.path)}. Start again later, or use another source (HF_ENDPOINT, "
                f"MODEL_SOURCE)"
            )
        reporter.say(
            f"corrupt download: {file.path}: {wrong}; fetching it again, alone ({len(bad) + 1} of {TRIES})"
        )


def _fetch_once(
    source: Source, plan: Plan, file: PlannedFile, folder: ModelFolder, reporter: Reporter
) -> tuple[Found, str | None]:
    """One fetch, resuming what is there; gives what came and how it differs from the plan, if it does."""
    with Sink(folder.partial(file), file) as sink:
        reporter.file(file.path, file.size, already=sink.size)
        too_much = None
        try:
            source.fetch(plan, file, sink, reporter.progress)
        except SourceSentTooMuch as error:
            too_much = f"expected {file.size} bytes, found {str(error).removeprefix(file.path + ': ')}"
        found = sink.found()
    on_disk = os.stat(folder.partial(file)).st_size
    return found, too_much or difference(file, Found(on_disk, found.sha256, found.git_sha1))
