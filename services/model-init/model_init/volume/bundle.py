"""A verified model as one tar stream, out and in: manifest first, then its files, digests checked on the way.

The stream is plain tar, so other tools can look into it; what comes in is believed in nothing but names and
sizes that its manifest states and digests that its bytes have.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..checks.structure import check_model
from ..digests import READ_BYTES, difference, stat_mark
from ..errors import CorruptDownload, DiskFailure, InvalidModel, ModelNotFound, SettingsError
from ..file_list import ListedFile
from ..kernels.carried import CarriedKernels, add_kernels
from ..report.reporter import Reporter
from ..selection import COMPANIONS, WEIGHT_SUFFIXES
from ..settings import parse_model_id
from . import manifest as manifests
from .disk import require_free_space
from .layout import ModelFolder
from .library import note_verified
from .manifest import Manifest, ManifestFile
from .publish import publish_files, vanished
from .sink import Sink

_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 16 * 1024 * 1024


class _HashingReader(io.RawIOBase):
    """A file that is hashed as tarfile copies it. Tells what is wrong with it from what is with the tar."""

    def __init__(self, stream: BinaryIO, file: ManifestFile, progress: Callable[[int], None]) -> None:
        self.sha256, self.size = hashlib.sha256(), 0
        self._stream, self._file, self._progress = stream, file, progress

    def read(self, size: int = -1) -> bytes:
        try:
            chunk = self._stream.read(size)
        except OSError as error:
            raise _damaged(self._file, f"expected a readable file, found: {error.strerror}") from error
        if not chunk and size and self.size < self._file.size:
            raise _damaged(self._file, f"expected {self._file.size} bytes, found {self.size}")
        self.sha256.update(chunk)
        self.size += len(chunk)
        self._progress(self.size)
        return chunk


def export_model(models_dir: Path, model_id: str, out: BinaryIO, reporter: Reporter) -> None:
    """Write a published model as a tar stream.

    Raises:
        ModelNotFound: it is not complete on the volume.
        CorruptDownload: a file's bytes are not the manifest's; the stream then has no proper end, and no
            import accepts it.
    """
    folder = ModelFolder(models_dir, model_id)
    manifest = manifests.read(folder.manifest)
    if manifest is None:
        raise ModelNotFound(f"no such model: expected {model_id} complete on the models volume, found none")
    total = sum(file.size for file in manifest.files)
    reporter.stage("verifying", f"Exporting {model_id}")
    reporter.begin(done=0, total=total, files_done=0, files_total=len(manifest.files))
    try:
        tar = tarfile.open(  # noqa: SIM115 - closing writes the end mark, which a failed export must not have
            fileobj=out, mode="w|", bufsize=READ_BYTES, format=tarfile.PAX_FORMAT
        )
        tar.copybufsize = READ_BYTES  # type: ignore[attr-defined]
        raw = folder.manifest.read_bytes()
        tar.addfile(_header(f"{model_id}/{_MANIFEST}", len(raw)), io.BytesIO(raw))
        for file in manifest.files:
            shown = reporter.file(file.path, file.size)
            _add(tar, folder.path / file.path, f"{model_id}/{file.path}", file, shown.progress)
            shown.finished()
        if manifest.model_format == "safetensors":
            add_kernels(tar, models_dir, reporter.say)
        tar.close()
        out.flush()
    except OSError as error:
        raise DiskFailure(
            f"the export could not be written whole: {error.strerror or error}; delete it and try again"
        ) from error


def _add(
    tar: tarfile.TarFile, path: Path, name: str, file: ManifestFile, progress: Callable[[int], None]
) -> None:
    mark = stat_mark(path)
    if mark is None or mark[0] != file.size:
        found = f"{mark[0]}" if mark else "no such file"
        raise _damaged(file, f"expected {file.size} bytes, found {found}")
    with _opened(path, file) as stream:
        reader = _HashingReader(stream, file, progress)
        tar.addfile(_header(name, file.size), reader)
    found = reader.sha256.hexdigest()
    if found != file.sha256:
        raise _damaged(file, f"expected sha256 {file.sha256}, found {found}")


def _opened(path: Path, file: ManifestFile) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise _damaged(file, f"expected a readable file, found: {error.strerror}") from error


def _damaged(file: ManifestFile, wrong: str) -> CorruptDownload:
    return CorruptDownload(
        f"damaged model file: {file.path}: {wrong}; start the appliance to repair it, then export again: "
        "this export can't be used"
    )


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def import_model(models_dir: Path, stream: BinaryIO, reporter: Reporter) -> Manifest:
    """Read a tar stream that `export_model` wrote, prove every byte, publish the model.

    Raises:
        InvalidModel: it holds something that has no place in a model: odd names, links, files besides.
        CorruptDownload: it ends early, or bytes are not what its manifest says.
        NoDiskSpace: the volume can't hold it.
    """
    reporter.stage("verifying", "Importing a model")
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=READ_BYTES) as tar:
            carried = _read_manifest(tar)
            folder = ModelFolder(models_dir, carried.model_id)
            kernels = CarriedKernels(models_dir, reporter.say)
            with _nothing_left(folder, carried, kernels):
                return _take_in(tar, carried, folder, kernels, reporter)
    except (tarfile.TarError, EOFError) as error:
        raise CorruptDownload(
            f"corrupt import: expected an export of this appliance, found: {error}"
        ) from error


@contextlib.contextmanager
def _nothing_left(folder: ModelFolder, carried: Manifest, kernels: CarriedKernels) -> Iterator[None]:
    """After a failure no file of the import is on the volume, and no folder that it made."""
    existing = [path for path in (folder.path.parent, folder.path) if path.exists()]
    try:
        yield
    except BaseException:
        for file in carried.file_list().files:
            folder.partial(file).unlink(missing_ok=True)
        kernels.discard()
        for path in (folder.path, folder.path.parent):
            if path not in existing:
                with contextlib.suppress(OSError):
                    path.rmdir()
        raise


def _take_in(
    tar: tarfile.TarFile,
    carried: Manifest,
    folder: ModelFolder,
    kernels: CarriedKernels,
    reporter: Reporter,
) -> Manifest:
    folder.create()
    known = manifests.load(folder)
    total = sum(file.size for file in carried.files)
    require_free_space(folder.path, total)
    reporter.status.model_id = carried.model_id
    reporter.begin(done=0, total=total, files_done=0, files_total=len(carried.files))
    proven = _read_files(tar, carried, folder, kernels, reporter)
    listed = [file.listed() for file in carried.files]
    for note in check_model({file.path: folder.partial(file) for file in listed}):
        reporter.say(f"note: {note}")
    manifest = carried.with_files(publish_files(folder, listed, listed, known, proven))
    manifest.write(folder)
    note_verified(folder.path.parent.parent, [manifest.model_id])
    kernels.publish()
    return manifest


def _read_manifest(tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    if member is None or not member.isreg() or not member.name.endswith(f"/{_MANIFEST}"):
        raise InvalidModel(
            "expected an export that begins with its manifest, found something else; export it again"
        )
    if member.size > _MAX_MANIFEST_BYTES:
        raise InvalidModel(f"expected a manifest of at most {_MAX_MANIFEST_BYTES} bytes, found {member.size}")
    manifest = manifests.parse(_body(tar, member).read())
    if manifest is None or member.name != f"{manifest.model_id}/{_MANIFEST}":
        raise InvalidModel(
            "expected a manifest of this appliance, found something else; export the model again"
        )
    try:
        parse_model_id(manifest.model_id)
    except SettingsError as error:
        raise InvalidModel(f"an import with a hostile name: {error}") from error
    for file in manifest.files:
        if file.path not in COMPANIONS and not file.path.endswith(WEIGHT_SUFFIXES):
            raise InvalidModel(
                f"expected only files that engines need, found {file.path!r}; this export is not to be "
                "trusted"
            )
    return manifest


def _read_files(
    tar: tarfile.TarFile,
    carried: Manifest,
    folder: ModelFolder,
    kernels: CarriedKernels,
    reporter: Reporter,
) -> dict[str, ManifestFile]:
    """Exactly the manifest's files and the kernels, each proven as it is written."""
    wanted = {f"{carried.model_id}/{file.path}": file.listed() for file in carried.files}
    proven: dict[str, ManifestFile] = {}
    while (member := tar.next()) is not None:
        if kernels.take(member, functools.partial(_body, tar, member)):
            continue
        file = wanted.pop(member.name, None)
        if file is None or not member.isreg() or member.size != file.size:
            raise InvalidModel(
                f"expected the manifest's files and nothing else, found {member.name!r} "
                f"({member.size} bytes); this export is not to be trusted"
            )
        proven[file.path] = _read_file(_body(tar, member), file, folder, reporter)
    if wanted:
        raise CorruptDownload(
            f"corrupt import: expected {min(wanted)}, found the end; export the model again"
        )
    return proven


def _read_file(stream: BinaryIO, file: ListedFile, folder: ModelFolder, reporter: Reporter) -> ManifestFile:
    shown = reporter.file(file.path, file.size)
    with Sink(folder.partial(file), file) as sink:
        sink.restart()
        while chunk := stream.read(READ_BYTES):
            sink.write(chunk)
            shown.progress(sink.size)
        found = sink.found()
    wrong = difference(file, found)
    if wrong:
        raise CorruptDownload(f"corrupt import: {file.path}: {wrong}; copy or export it again")
    shown.finished()
    _, mark = stat_mark(folder.partial(file)) or vanished(file)
    return ManifestFile(file.path, found.size, found.sha256, mark)


def _body(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    body = tar.extractfile(member)
    if body is None:
        raise InvalidModel(f"expected a file, found {member.name!r}, which is none")
    return body  # type: ignore[return-value]
