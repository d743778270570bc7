"""A full check of published models on a live system: reads every byte, changes nothing in the models."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..digests import difference, hash_file, stat_mark
from ..errors import ModelNotFound
from ..parallel import Check, for_each
from ..report.console import human_bytes
from ..report.reporter import Reporter
from . import manifest as manifests
from .layout import ModelFolder
from .library import folders, note_verified
from .manifest import Manifest, ManifestFile
from .present import CORES


@dataclass(frozen=True)
class BadFile:
    """A file that is not what the manifest says."""

    model_id: str
    path: str
    reason: str


@dataclass(frozen=True)
class _Job:
    model_id: str
    folder: ModelFolder
    file: ManifestFile


@dataclass(frozen=True)
class CheckResult:
    """What was read and what was wrong with it."""

    models: tuple[str, ...]
    files: int
    bytes: int
    bad: tuple[BadFile, ...]

    def as_json(self) -> dict[str, Any]:
        """For `verify --json`."""
        return {"ok": not self.bad, **asdict(self)}


def check_published(models_dir: Path, only: str | None, reporter: Reporter) -> CheckResult:
    """Read every file of every published model, or of one, and compare with its manifest.

    Raises:
        ModelNotFound: there is no published model (of that id).
    """
    published = [
        (model_id, folder, manifest)
        for model_id, folder in folders(models_dir)
        if only in (None, model_id) and (manifest := manifests.read(folder.manifest))
    ]
    if not published:
        raise ModelNotFound(
            f"no such model: expected {only or 'a model'} complete on the models volume, found none; "
            "start the appliance to fetch it"
        )
    jobs = [
        _Job(model_id, folder, file) for model_id, folder, manifest in published for file in manifest.files
    ]
    bad = _strays(published) + _read_all(jobs, reporter)
    damaged = {file.model_id for file in bad}
    models = tuple(model_id for model_id, _, _ in published)
    note_verified(models_dir, [model_id for model_id in models if model_id not in damaged])
    return CheckResult(models, len(jobs), sum(job.file.size for job in jobs), tuple(bad))


def _strays(published: list[tuple[str, ModelFolder, Manifest]]) -> list[BadFile]:
    return [
        BadFile(model_id, stray.name, "expected no such file, found one that engines may open")
        for model_id, folder, manifest in published
        for stray in folder.strays(manifest.file_list().files)
    ]


def _read_all(jobs: list[_Job], reporter: Reporter) -> list[BadFile]:
    total = sum(job.file.size for job in jobs)
    reporter.stage("verifying", f"Checking every byte of {len(jobs)} files, {human_bytes(total)}")
    reporter.begin(done=0, total=total, files_done=0, files_total=len(jobs))
    bad: list[BadFile] = []

    def read(job: _Job, check: Check) -> None:
        shown = reporter.file(f"{job.model_id}/{job.file.path}", job.file.size)
        reason = _wrong_with(job, shown.progress, check)
        shown.finished()
        if reason:
            bad.append(BadFile(job.model_id, job.file.path, reason))
            reporter.say(f"damaged: {job.model_id}/{job.file.path}: {reason}")

    for_each(sorted(jobs, key=lambda job: -job.file.size), read, CORES)
    return sorted(bad, key=lambda file: (file.model_id, file.path))


def _wrong_with(job: _Job, progress: Any, check: Check) -> str | None:
    path, listed = job.folder.path / job.file.path, job.file.listed()
    if stat_mark(path) is None:
        return "expected a regular file, found none"
    try:
        return difference(listed, hash_file(path, listed, progress, check))
    except OSError as error:
        return f"expected a readable file, found {error.strerror}"
