"""The whole job, top-down: list → check what is there → download → verify → publish.

Nothing gets a name that an engine opens before every file of the list is proven, so an interruption at any
point leaves either the complete old model or the complete new one, or a folder without manifest.json and
`.partial` files.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from .checks.structure import check_companions, check_model
from .digests import difference, hash_file, stat_mark
from .download import fetch_proven
from .errors import CorruptDownload, InvalidModel, ModelNotFound
from .file_list import FileList, ListedFile
from .origin import Origin, changed
from .parallel import Check, for_each
from .report.console import human_bytes
from .report.reporter import Reporter
from .selection import PICKLE_SUFFIXES, is_weights
from .settings import Settings
from .sources import Source
from .volume import expected
from .volume import manifest as manifests
from .volume.disk import require_free_space
from .volume.layout import ModelFolder
from .volume.manifest import Manifest, ManifestFile
from .volume.present import Level, Present, check_present
from .volume.publish import publish_files, vanished
from .volume.sink import held_bytes


def prepare(
    settings: Settings, reporter: Reporter, make_source: Callable[[], Source], *, ended_badly: bool = False
) -> Manifest:
    """Make the model that the settings ask for complete and proven in the volume.

    Args:
        ended_badly: the last start died in the middle: files that look unchanged are read all the same.
        make_source: called only when something has to be asked or fetched; a good model needs no source.

    Raises:
        ModelInitError: of the kind that fits.
    """
    folder = ModelFolder(settings.models_dir, settings.model_id)
    folder.create()
    known = manifests.load(folder)
    level = "full" if ended_badly and settings.verify == "auto" else settings.verify
    wanted = known if known is not None and _answers(known, settings, level, reporter) else None
    source = functools.cache(make_source)
    file_list = wanted.file_list() if wanted else expected.load(folder, settings) or source().file_list()
    reporter.status.revision = file_list.revision
    if file_list.note:
        reporter.say(file_list.note)
    _remove_strays(folder, file_list, known, reporter)

    present = check_present(folder, file_list, known, reporter, level)
    missing = [file for file in file_list.files if file.path not in present.proven]
    if wanted and not missing:
        return _refresh(folder, wanted, present)
    if not wanted:
        expected.keep(folder, settings, file_list)
    try:
        if missing:
            _download(source(), file_list, missing, folder, present, reporter, settings.parallel_files)
        _verify_structure(folder, file_list, missing, reporter)
    except (InvalidModel, ModelNotFound):
        expected.forget(folder)
        raise
    files = publish_files(folder, file_list.files, missing, known, present.proven)
    manifest = wanted.with_files(files) if wanted else Manifest.of(settings, file_list, files)
    manifest.write(folder)
    _report_repairs(present, manifest, reporter)
    return manifest


def _answers(known: Manifest, settings: Settings, level: Level, reporter: Reporter) -> bool:
    """Whether the model on the volume is the one that is asked for, so that no source need be asked."""
    if known.answers(settings):
        names = changed(settings.import_dir, known.origins, _reader(known, level))
        if not names:
            return True
        reporter.say(f"{settings.import_dir} has changed ({', '.join(names)}): reading it again")
        return False
    if settings.offline and known.serves(settings):
        revision = f" at {known.revision[:12]}" if known.revision else ""
        reporter.say(
            f"offline: using {known.model_id}{revision} as it is on the volume (from {known.source})"
        )
        return True
    return False


def _reader(known: Manifest, level: Level) -> Callable[[Path, Origin], bool]:
    """What tells whether a file of the folder has other bytes than were read from it: at level full only."""
    recorded = {file.path: file.listed() for file in known.files}

    def differs(path: Path, origin: Origin) -> bool:
        file = recorded.get(origin.path)
        return file is None or difference(file, hash_file(path, file, lambda _: None)) is not None

    return differs if level == "full" else lambda _path, _origin: False


def _remove_strays(
    folder: ModelFolder, file_list: FileList, known: Manifest | None, reporter: Reporter
) -> None:
    """Files that an engine would open by their suffix, but that nobody has proven, go to quarantine."""
    provable = [file for file in file_list.files if file.digest is not None]
    allowed = [*provable, *(known.file_list().files if known else ())]
    for stray in folder.strays(allowed):
        kept = folder.quarantine(stray, stray.name, "stray")
        reporter.say(
            f"warning: {stray.name} is no part of the model but {_danger(stray)}: moved to "
            f"{kept.relative_to(folder.path)}"
        )


def _danger(stray: Path) -> str:
    if stray.suffix in PICKLE_SUFFIXES:
        return "a pickle file, which can run code when loaded"
    return "engines would open it"


def _download(
    source: Source,
    file_list: FileList,
    missing: list[ListedFile],
    folder: ModelFolder,
    present: Present,
    reporter: Reporter,
    parallel_files: int,
) -> None:
    """Bring what is missing, in `.partial` files, several at a time; `present` gets their digests.

    The small files first: a model that they show to be none is refused before its gigabytes are fetched.
    """
    folder.remove_leftovers(keep=missing)
    to_write = sum(file.size - held_bytes(folder.partial(file), file) for file in missing)
    require_free_space(folder.path, to_write + file_list.scratch_bytes)

    total, done = (
        sum(file.size for file in file_list.files),
        sum(file.size for file in present.proven.values()),
    )
    count = "1 file" if len(missing) == 1 else f"{len(missing)} files"
    reporter.stage(
        "downloading", f"Downloading {count}, {human_bytes(total - done)}, from {file_list.source}"
    )
    reporter.begin(done=done, total=total, files_done=len(present.proven), files_total=len(file_list.files))

    def fetch(file: ListedFile, check: Check) -> None:
        found = fetch_proven(source, file_list.revision, file, folder, reporter, check)
        _, mark = stat_mark(folder.partial(file)) or vanished(file)
        present.proven[file.path] = ManifestFile(file.path, found.size, found.sha256, mark)

    small = [file for file in missing if not is_weights(file.path)]
    weights = [file for file in missing if is_weights(file.path)]
    corrupt = None
    try:
        for_each(small, fetch, parallel_files, others_go_on=(CorruptDownload,))
    except CorruptDownload as error:
        corrupt = error  # the source may have it right next time: what it has right now is not waited for
    if weights and corrupt is None:
        paths = _paths(folder, file_list, missing)
        check_companions({name: path for name, path in paths.items() if not is_weights(name)}, paths)
    for_each(weights, fetch, parallel_files, others_go_on=(CorruptDownload,))
    if corrupt is not None:
        raise corrupt


def _verify_structure(
    folder: ModelFolder, file_list: FileList, fetched: list[ListedFile], reporter: Reporter
) -> None:
    what = "Digests are right; checking" if file_list.known else "No digests are known; checking only"
    reporter.stage("verifying", f"{what} the structure of the files")
    for note in check_model(_paths(folder, file_list, fetched)):
        reporter.say(f"note: {note}")


def _paths(folder: ModelFolder, file_list: FileList, fetched: list[ListedFile]) -> dict[str, Path]:
    """Where each file of the model lies, or will lie, before it is published."""
    return {
        file.path: folder.partial(file) if file in fetched else folder.final(file) for file in file_list.files
    }


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
