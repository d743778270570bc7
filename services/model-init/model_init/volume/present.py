"""What the volume already holds of a list. Trusts unchanged files, reads others, moves damaged ones aside."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal

from ..digests import Found, StatMark, difference, hash_file, stat_mark
from ..file_list import FileList, ListedFile
from ..parallel import Check, for_each
from ..report.reporter import Reporter
from .layout import ModelFolder
from .manifest import Manifest, ManifestFile

CORES = os.cpu_count() or 1
Level = Literal["auto", "quick", "full"]


@dataclass
class Present:
    """Proven files by name, and the digests of damaged ones that were moved aside, still to be replaced."""

    proven: dict[str, ManifestFile] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _ToRead:
    """A file that only its bytes can prove, as it looked before reading."""

    file: ListedFile
    size: int
    mark: StatMark


def check_present(
    folder: ModelFolder, file_list: FileList, known: Manifest | None, reporter: Reporter, level: Level
) -> Present:
    """Tell proven files from the rest: by their marks where the manifest vouches, else by reading.

    Args:
        level: `quick` trusts a file whose size, times and inode are those of the manifest; `full` reads all;
            `auto` reads all as soon as one file differs.
    """
    present = Present()
    vouched = {file.path: file for file in known.files} if known else {}
    if level == "auto" and _anything_changed(folder, file_list, vouched):
        level = "full"
    to_read = []
    for file in file_list.files:
        mark, entry = stat_mark(folder.final(file)), vouched.get(file.path)
        if mark is None:
            _recall_damage(folder, file, entry, present)
        elif file.digest is None:
            continue  # nothing says what it should be: it comes anew
        elif entry is None or mark != (entry.size, entry.stat):
            to_read.append(_ToRead(file, *mark))
        elif file.digest == entry.listed().digest:
            if level == "full":
                to_read.append(_ToRead(file, *mark))
            else:
                present.proven[file.path] = entry
        elif file.digest.algorithm == "git-sha1" and file.size == entry.size:
            to_read.append(_ToRead(file, *mark))
    if to_read:
        found = _read(folder, to_read, len(file_list.files), present, reporter)
        for one in to_read:
            _sort(folder, one, found[one.file.path], vouched.get(one.file.path), present, reporter)
    return present


def _anything_changed(folder: ModelFolder, file_list: FileList, vouched: dict[str, ManifestFile]) -> bool:
    entries = [vouched[file.path] for file in file_list.files if file.path in vouched]
    return any(stat_mark(folder.path / entry.path) != (entry.size, entry.stat) for entry in entries)


def _recall_damage(
    folder: ModelFolder, file: ListedFile, entry: ManifestFile | None, present: Present
) -> None:
    """A repair that was interrupted is still to be reported once it succeeds."""
    if entry is None or file.digest != entry.listed().digest or not folder.retracted_manifest.exists():
        return
    found = folder.quarantined_digest(file.path)
    if found is not None:
        present.damaged[file.path] = found


def _read(
    folder: ModelFolder, to_read: list[_ToRead], files_total: int, present: Present, reporter: Reporter
) -> dict[str, Found]:
    """Digests of all these files, the largest first, one thread a core."""
    names = ", ".join(one.file.path for one in to_read)
    reporter.stage("verifying", f"Checking every byte of {names}")
    total = sum(one.size for one in to_read)
    reporter.begin(done=0, total=total, files_done=len(present.proven), files_total=files_total)
    found: dict[str, Found] = {}

    def read(one: _ToRead, check: Check) -> None:
        shown = reporter.file(one.file.path, one.size)
        found[one.file.path] = hash_file(folder.final(one.file), one.file, shown.progress, check)
        shown.finished()

    for_each(sorted(to_read, key=lambda one: -one.size), read, CORES)
    return found


def _sort(
    folder: ModelFolder,
    one: _ToRead,
    found: Found,
    entry: ManifestFile | None,
    present: Present,
    reporter: Reporter,
) -> None:
    """Right, damaged, or only an older manifest's: such a file stays until publishing."""
    file, wrong = one.file, difference(one.file, found)
    if wrong is None:
        # the mark from before reading: a change while we read shows at the next start
        present.proven[file.path] = ManifestFile(file.path, found.size, found.sha256, one.mark)
    elif entry is None or entry.sha256 != found.sha256:
        folder.retract_manifest()
        kept = folder.quarantine(folder.final(file), file.path, f"sha256-{found.sha256}")
        present.damaged[file.path] = found.sha256
        moved = kept.relative_to(folder.path)
        reporter.say(f"damaged: {file.path}: {wrong}; moved to {moved}, fetching it again")
