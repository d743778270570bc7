"""What a model consists of: names, sizes, digests. Bytes are held to it, whoever delivers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .origin import Origin
from .settings import ModelFormat, SourceName


@dataclass(frozen=True)
class Digest:
    """What a file's bytes must hash to. `git-sha1` is git's blob id: all that a hub states of small files."""

    algorithm: Literal["sha256", "git-sha1"]
    hex: str


@dataclass(frozen=True)
class ListedFile:
    """One file to bring: its name, its size in bytes, and its digest when the source states one."""

    path: str
    size: int
    digest: Digest | None


@dataclass(frozen=True)
class FileList:
    """All that a model needs.

    `scratch_bytes`: room that the source needs on the volume beside the files. `note`: what a person should
    know of how it came about ("" for nothing). `known`: digests are stated from elsewhere; else the files are
    taken as they are, and only their structure says that they are a model. `origins`: where in a folder the
    files lay.
    """

    source: SourceName
    model_format: ModelFormat
    revision: str | None
    files: tuple[ListedFile, ...]
    scratch_bytes: int = 0
    note: str = ""
    known: bool = True
    origins: tuple[Origin, ...] = ()
