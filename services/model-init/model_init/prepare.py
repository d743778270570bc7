"""The whole job, top-down: plan → check what is there → download → verify → publish.

Nothing gets a name that an engine opens before every file of the plan is proven, so an interruption at any
point leaves either the complete old model or the complete new one, or a folder without manifest.json and
`.partial` files.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from . import manifest as manifests
from .console import human_bytes
from .disk import require_free_space
from .download import fetch_proven
from .layout import ModelFolder, sync_folder
from .manifest import Manifest, ManifestFile
from .plan import Plan, PlannedFile
from .present import Present, check_present
from .reporter import Reporter
from .settings import Settings
from .sources import Source
from .structure import check_model
from .verify import stat_mark


def prepare(settings: Settings, reporter: Reporter, make_source: Callable[[], Source]) -> Manifest:
    """Make the model that the settings ask for complete and proven in the volume.

    Args:
        make_source: called only when something has to be asked or fetched; a good model needs no source.

    Raises:
        ModelInitError: of the kind that fits.
    """
    folder = ModelFolder(settings.models_dir, settings.model_id)
    folder.create()
    known = manifests.load(folder)
    wanted = known if known is not None and known.answers(settings) else None
    source = functools.cache(make_source)
    plan = wanted.plan() if wanted else source().plan()
    reporter.status.revision = plan.revision
    _remove_strays(folder, plan, known, reporter)

    present = check_present(folder, plan, known, reporter)
    missing = [file for file in plan.files if file.path not in present.proven]
    if wanted and not missing:
        return _refresh(folder, wanted, present)
    if missing:
        _download(source(), plan, missing, folder, present, reporter)

    _verify_structure(folder, plan, missing, reporter)
    files = _publish(folder, plan, missing, known, present)
    manifest = wanted.with_files(files) if wanted else Manifest.of(settings, plan, files)
    manifest.write(folder)
    _report_repairs(present, manifest, reporter)
    return manifest


def _remove_strays(folder: ModelFolder, plan: Plan, known: Manifest | None, reporter: Reporter) -> None:
    """Files that an engine would open by their suffix, but that nobody has proven, go to quarantine."""
    provable = [file for file in plan.files if file.digest is not None]
    expected = [*provable, *(known.plan().files if known else ())]
    for stray in folder.strays(expected):
        kept = folder.quarantine(stray, stray.name, "stray")
        reporter.say(
            f"warning: {stray.name} is no part of the model but engines would open it: moved to "
            f"{kept.relative_to(folder.path)}"
        )


def _download(
    source: Source,
    plan: Plan,
    missing: list[PlannedFile],
    folder: ModelFolder,
    present: Present,
    reporter: Reporter,
) -> None:
    """Bring what is missing, in `.partial` files; `present` gets their digests."""
    folder.remove_leftovers(keep=missing)
    partials = [stat_mark(folder.partial(file)) for file in missing]
    to_write = sum(file.size for file in missing) - sum(mark[0] for mark in partials if mark)
    require_free_space(folder.path, to_write + plan.scratch_bytes)

    total, done = sum(file.size for file in plan.files), sum(file.size for file in present.proven.values())
    count = "1 file" if len(missing) == 1 else f"{len(missing)} files"
    reporter.stage("downloading", f"Downloading {count}, {human_bytes(total - done)}, from {plan.source}")
    reporter.begin(done=done, total=total, files_done=len(present.proven), files_total=len(plan.files))
    for file in missing:
        found = fetch_proven(source, plan, file, folder, reporter)
        _, mark = stat_mark(folder.partial(file)) or _vanished(file)
        present.proven[file.path] = ManifestFile(file.path, found.size, found.sha256, mark)


def _verify_structure(
    folder: ModelFolder, plan: Plan, fetched: list[PlannedFile], reporter: Reporter
) -> None:
    reporter.stage("verifying", "Digests are right; checking the structure of the files")
    paths = {
        file.path: folder.partial(file) if file in fetched else folder.final(file) for file in plan.files
    }
    check_model(paths)


def _publish(
    folder: ModelFolder, plan: Plan, fetched: list[PlannedFile], known: Manifest | None, present: Present
) -> tuple[ManifestFile, ...]:
    """Give proven files their names and drop those of an older plan. The manifest is void until rewritten."""
    folder.retract_manifest()
    for file in fetched:
        folder.publish(file)
        _, mark = stat_mark(folder.final(file)) or _vanished(file)
        # renaming changes ctime
        present.proven[file.path] = replace(present.proven[file.path], stat=mark)
    planned = {file.path for file in plan.files}
    for old in known.plan().files if known else ():
        if old.path not in planned:
            folder.final(old).unlink(missing_ok=True)
    sync_folder(folder.path)
    return tuple(present.proven[file.path] for file in plan.files)


def _refresh(folder: ModelFolder, known: Manifest, present: Present) -> Manifest:
    """All is there and right: keep the manifest, or write it again if marks changed or it was retracted."""
    files = tuple(present.proven[file.path] for file in known.files)
    if files == known.files and folder.manifest.exists():
        return known
    refreshed = known.with_files(files)
    refreshed.write(folder)
    return refreshed


def _report_repairs(present: Present, manifest: Manifest, reporter: Reporter) -> None:
    for file in manifest.files:
        if file.path in present.damaged:
            reporter.repaired(file.path, file.sha256, present.damaged[file.path])


def _vanished(file: PlannedFile) -> NoReturn:
    raise FileNotFoundError(f"{file.path} vanished from the models volume while model-init worked")
