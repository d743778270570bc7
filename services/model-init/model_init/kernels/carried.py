"""The kernels in the tar stream of `export` and `import`, behind a model's files. Owns their names in it.

A stream's kernels are taken only when they are those that this release pins; others are left out, and said.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import CorruptDownload
from . import pinned as pins
from .folder import ROOT, SUMS, KernelsFolder

_PREFIX = f"{ROOT}/"


def add_kernels(tar: tarfile.TarFile, models_dir: Path, say: Callable[[str], None]) -> None:
    """Put the kernels into the stream, if they are there and right."""
    folder = KernelsFolder(models_dir, pins.PINNED)
    if folder.wrong():
        say("note: the fast 4-bit kernels are not on the volume, so the export is without them")
        return
    for name in (SUMS, *folder.published_sums()):
        data = (folder.path / name).read_bytes()
        header = tarfile.TarInfo(f"{_PREFIX}{pins.PINNED.name}/{name}")
        header.size, header.mode = len(data), 0o644
        tar.addfile(header, io.BytesIO(data))


class CarriedKernels:
    """Takes the kernels' members out of a stream as they come by, and publishes them at its end."""

    def __init__(self, models_dir: Path, say: Callable[[str], None]) -> None:
        self._folder = KernelsFolder(models_dir, pins.PINNED)
        self._say = say
        self._missing: dict[str, str] | None = None
        self._others = False

    def take(self, member: tarfile.TarInfo, body: Callable[[], BinaryIO]) -> bool:
        """Whether the member is one of the kernels'; it then is read.

        Raises:
            CorruptDownload: its bytes are not the pinned ones.
        """
        if not member.name.startswith(_PREFIX) or not member.isreg():
            return False
        name = member.name.removeprefix(f"{_PREFIX}{pins.PINNED.name}/")
        if name == SUMS and self._missing is None:
            self._begin(body().read())
        elif self._missing is None or self._others:
            self._others = True
        elif (digest := self._missing.pop(name, None)) is None or self._folder.take(name, body()) != digest:
            raise CorruptDownload(f"corrupt import: {member.name}: expected other bytes; export it again")
        return True

    def publish(self) -> None:
        """Give what came its name."""
        if self._missing is None or self._others:
            if self._others:
                self._say("note: the export has kernels of another release, which are left out")
            return
        self._folder.publish()
        self._say(f"imported the fast 4-bit kernels: {pins.PINNED.name}")

    def discard(self) -> None:
        """The stream was no good."""
        self._folder.discard()

    def _begin(self, sums: bytes) -> None:
        pinned = self._folder.sums(sums)
        if pinned is None:
            self._missing, self._others = {}, True
            return
        self._missing = pinned
        self._folder.begin()
        self._folder.take(SUMS, io.BytesIO(sums))
