"""What the volume already holds of a plan. Trusts unchanged files, reads others, moves damaged ones aside."""

from __future__ import annotations

from dataclasses import dataclass, field

from .layout import ModelFolder
from .manifest import Manifest, ManifestFile
from .plan import Plan, PlannedFile
from .reporter import Reporter
from .verify import StatMark, difference, hash_file, stat_mark


@dataclass
class Present:
    """Proven files by name, and the digests of damaged ones that were moved aside, still to be replaced."""

    proven: dict[str, ManifestFile] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)


def check_present(folder: ModelFolder, plan: Plan, known: Manifest | None, reporter: Reporter) -> Present:
    """Tell proven files from the rest: by their marks where the manifest vouches, else by reading."""
    present = Present()
    vouched = {file.path: file for file in known.files} if known else {}
    to_read = []
    for file in plan.files:
        mark, entry = stat_mark(folder.final(file)), vouched.get(file.path)
        if mark is None:
            _recall_damage(folder, file, entry, present)
        elif file.digest is None:
            continue  # nothing says what it should be: it comes anew
        elif entry is None or mark != (entry.size, entry.stat):
            to_read.append((file, *mark))
        elif file.digest == entry.planned().digest:
            present.proven[file.path] = entry
        elif file.digest.algorithm == "git-sha1" and file.size == entry.size:
            to_read.append((file, *mark))
    if to_read:
        _read(folder, to_read, vouched, len(plan.files), present, reporter)
    return present


def _recall_damage(
    folder: ModelFolder, file: PlannedFile, entry: ManifestFile | None, present: Present
) -> None:
    """A repair that was interrupted is still to be reported once it succeeds."""
    if entry is None or file.digest != entry.planned().digest or not folder.retracted_manifest.exists():
        return
    found = folder.quarantined_digest(file.path)
    if found is not None:
        present.damaged[file.path] = found


def _read(
    folder: ModelFolder,
    to_read: list[tuple[PlannedFile, int, StatMark]],
    vouched: dict[str, ManifestFile],
    files_total: int,
    present: Present,
    reporter: Reporter,
) -> None:
    """Read files whole and sort them. One that only an older manifest vouches for stays until publishing."""
    names = ", ".join(file.path for file, _, _ in to_read)
    reporter.stage("verifying", f"Checking every byte of {names}")
    total = sum(size for _, size, _ in to_read)
    reporter.begin(done=0, total=total, files_done=len(present.proven), files_total=files_total)
    for file, size, mark in to_read:
        path = folder.final(file)
        reporter.file(file.path, size)
        found = hash_file(path, file, reporter.progress)
        wrong = difference(file, found)
        entry = vouched.get(file.path)
        if wrong is None:
            # the mark from before reading: a change while we read shows at the next start
            present.proven[file.path] = ManifestFile(file.path, found.size, found.sha256, mark)
        elif entry is None or entry.sha256 != found.sha256:
            folder.retract_manifest()
            kept = folder.quarantine(path, file.path, f"sha256-{found.sha256}")
            present.damaged[file.path] = found.sha256
            moved = kept.relative_to(folder.path)
            reporter.say(f"damaged: {file.path}: {wrong}; moved to {moved}, fetching it again")
        reporter.file_done(size)
