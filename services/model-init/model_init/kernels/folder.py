"""The kernels' folder in the models volume: proof, unpacking and publishing. Knows no network.

.engine-packages/fast-nf4-1/bitsandbytes-0.50.2/   published: SHA256SUMS and the files it lists
.engine-packages/new/                              being unpacked or taken in; renamed when proven
.engine-packages/wheel/                            the wheel while it is fetched

Hidden, so that neither TGI nor the list of models takes it for a model. SHA256SUMS has a digest for each
file and is itself pinned: these files run as code in the engine, and no folder, index or bundle is believed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from ..digests import READ_BYTES
from ..errors import CorruptDownload
from ..volume.layout import ModelFolder, sync_folder
from .pinned import PinnedWheel

ROOT = ".engine-packages"
SUMS = "SHA256SUMS"
_MAX_SUMS_BYTES = 1024 * 1024


class KernelsFolder:
    """Where one pinned wheel's files lie in a models volume."""

    def __init__(self, models_dir: Path, pinned: PinnedWheel) -> None:
        self._root = models_dir / ROOT
        self._pinned = pinned
        self.path = self._root / "fast-nf4-1" / pinned.name
        self.new = self._root / "new"
        self.wheel = ModelFolder(models_dir, f"{ROOT}/wheel")

    def exists(self) -> bool:
        """Whether there is anything under the published name, which the engine would take."""
        return os.path.lexists(self.path)

    def wrong(self) -> str | None:
        """How the published files differ from the pinned ones, as `expected …, found …`, or None."""
        return self._wrong_in(self.path)

    def sums(self, data: bytes) -> dict[str, str] | None:
        """Each kept file's digest by its name, from SHA256SUMS; None when it is not the pinned one."""
        if hashlib.sha256(data).hexdigest() != self._pinned.manifest_sha256:
            return None
        pairs = (line.split("  ", 1) for line in data.decode().splitlines())
        return {name: digest for digest, name in pairs}

    def published_sums(self) -> dict[str, str]:
        """The same of what is published and was found right."""
        return self.sums((self.path / SUMS).read_bytes()) or {}

    def begin(self) -> None:
        """An empty place for new files."""
        shutil.rmtree(self.new, ignore_errors=True)
        self.new.mkdir(parents=True)

    def take(self, name: str, stream: BinaryIO) -> str:
        """Write one new file; returns its digest. The caller knows that the name is a pinned one."""
        path = self.new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("xb") as out:
            while chunk := stream.read(READ_BYTES):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        return digest.hexdigest()

    def unpack(self, wheel: Path) -> None:
        """The kept members of a wheel that has been proven, as new files with their list.

        Raises:
            CorruptDownload: what comes out is not what is pinned.
        """
        self.begin()
        sums = []
        try:
            with zipfile.ZipFile(wheel) as archive:
                for name in sorted(filter(self._pinned.keeps, archive.namelist())):
                    with archive.open(name) as stream:
                        sums.append(f"{self.take(name, stream)}  {name}\n")  # type: ignore[arg-type]
        except (zipfile.BadZipFile, zlib.error) as error:
            raise CorruptDownload(f"expected a wheel of {self._pinned.name}, found {error}") from error
        (self.new / SUMS).write_text("".join(sums))

    def publish(self) -> None:
        """Prove the new files and give them their name. A running engine keeps the files that it has open.

        Raises:
            CorruptDownload: they are not what is pinned.
        """
        wrong = self._wrong_in(self.new)
        if wrong:
            self.discard()
            raise CorruptDownload(f"corrupt kernels of {self._pinned.name}: {wrong}")
        self.path.parent.mkdir(exist_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)
        os.replace(self.new, self.path)
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Remove what is unfinished, but for a wheel that can be resumed."""
        shutil.rmtree(self.new, ignore_errors=True)

    def withdraw(self) -> None:
        """Remove published files that are wrong: the engine must not run them."""
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_wheel(self) -> None:
        """Remove the wheel, once unpacked."""
        shutil.rmtree(self.wheel.path, ignore_errors=True)

    def _wrong_in(self, folder: Path) -> str | None:
        try:
            with (folder / SUMS).open("rb") as stream:
                sums = self.sums(stream.read(_MAX_SUMS_BYTES))
        except OSError:
            return f"expected {SUMS}, found none"
        if sums is None:
            return f"expected {SUMS} of {self._pinned.name}, found another"
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not _is_folder(path)}
        if odd := sorted(found ^ {SUMS, *sums}):
            return f"expected {len(sums)} files, found {'no ' if odd[0] in sums else ''}{odd[0]}"
        for name, digest in sums.items():
            if (folder / name).is_symlink() or _sha256(folder / name) != digest:
                return f"expected sha256 {digest} of {name}, found another"
        return None


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
