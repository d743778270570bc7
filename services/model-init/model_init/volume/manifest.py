"""manifest.json: what a published model consists of, proven. Owns the file's form, reading and writing.

It is the contract with the engines ("complete and verified") and what the next start checks against without
network. `requested` keeps the settings that led here, because a branch name in MODEL_REVISION can't be
resolved offline.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..digests import StatMark
from ..file_list import Digest, FileList, ListedFile
from ..origin import Origin
from ..selection import is_plain_name
from ..settings import ModelFormat, Settings, SourceName
from .layout import ModelFolder, sync_folder

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ManifestFile:
    """One proven file; `size` in bytes, `stat` as of the moment it was proven."""

    path: str
    size: int
    sha256: str
    stat: StatMark

    def listed(self) -> ListedFile:
        """The same as an expectation."""
        return ListedFile(self.path, self.size, Digest("sha256", self.sha256))


@dataclass(frozen=True)
class Manifest:
    """A complete model. `known` and `origins`: see `FileList`."""

    model_id: str
    revision: str | None
    source: SourceName
    model_format: ModelFormat
    requested: dict[str, str | None]
    files: tuple[ManifestFile, ...]
    created_at: str
    known: bool = True
    origins: tuple[Origin, ...] = ()

    @classmethod
    def of(cls, settings: Settings, file_list: FileList, files: tuple[ManifestFile, ...]) -> Manifest:
        """A new one for files that have just been proven."""
        return cls(
            model_id=settings.model_id,
            revision=file_list.revision,
            source=file_list.source,
            model_format=file_list.model_format,
            requested=requested(settings),
            files=files,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            known=file_list.known,
            origins=file_list.origins,
        )

    def answers(self, settings: Settings) -> bool:
        """Whether this is the model that the settings ask for, so that no source need be asked."""
        if (self.model_id, self.source, self.model_format) != (
            settings.model_id,
            settings.source,
            settings.model_format,
        ):
            return False
        wanted = requested(settings)
        by_commit = self.revision is not None and wanted["revision"] == self.revision
        return self.requested == wanted or (
            by_commit and self.requested.get("gguf_file") == wanted["gguf_file"]
        )

    def serves(self, settings: Settings) -> bool:
        """Whether it will do where nothing can be asked: this model, unless another commit or file is named.

        What a branch or tag means cannot be looked up, so what is here stands for it.
        """
        if (self.model_id, self.model_format) != (settings.model_id, settings.model_format):
            return False
        wanted = settings.revision
        is_commit = wanted is not None and _COMMIT.fullmatch(wanted) is not None
        names = [file.path for file in self.files]
        right_file = settings.gguf_file in (None, self.requested.get("gguf_file"), *names)
        return right_file and (not is_commit or wanted == self.revision)

    def file_list(self) -> FileList:
        """What the folder must hold, as a list for checking and repair."""
        return FileList(
            self.source,
            self.model_format,
            self.revision,
            tuple(file.listed() for file in self.files),
            known=self.known,
            origins=self.origins,
        )

    def with_files(self, files: tuple[ManifestFile, ...]) -> Manifest:
        """The same model after a repair or a change of its files' marks."""
        return replace(self, files=files)

    def write(self, folder: ModelFolder) -> None:
        """Publish, atomically and durably; a retracted manifest is thereby void."""
        record = {
            "schema": 1,
            "model_id": self.model_id,
            "revision": self.revision,
            "source": self.source,
            "format": self.model_format,
            "created_at": self.created_at,
            "total_bytes": sum(file.size for file in self.files),
            "requested": self.requested,
            "digests_known": self.known,
            "origins": [asdict(origin) for origin in self.origins],
            "files": [asdict(file) for file in self.files],
        }
        new = folder.path / "manifest.json.new"
        with new.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(record, indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, folder.manifest)
        folder.retracted_manifest.unlink(missing_ok=True)
        sync_folder(folder.path)


def requested(settings: Settings) -> dict[str, str | None]:
    """The settings beside id, source and format that decide which files a model has."""
    return {"revision": settings.revision, "gguf_file": settings.gguf_file}


def load(folder: ModelFolder) -> Manifest | None:
    """The folder's manifest, or the one that an unfinished repair retracted; None if neither is readable."""
    for path in (folder.manifest, folder.retracted_manifest):
        manifest = read(path)
        if manifest is not None:
            return manifest
    return None


def read(path: Path) -> Manifest | None:
    """One manifest file; None when it is absent or `parse` makes nothing of it."""
    try:
        return parse(path.read_bytes())
    except OSError:
        return None


def parse(data: bytes) -> Manifest | None:
    """A manifest's bytes; None when they are damaged, of another schema, or hold unsafe names."""
    try:
        return _parse(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _parse(record: dict[str, Any]) -> Manifest:
    if record["schema"] != 1:
        raise ValueError("another schema")
    files = tuple(
        ManifestFile(str(f["path"]), int(f["size"]), str(f["sha256"]), StatMark(**f["stat"]))
        for f in record["files"]
    )
    if not files or len({file.path for file in files}) != len(files):
        raise ValueError("no files, or one twice")
    if not all(is_plain_name(file.path) for file in files):
        raise ValueError("names that no model may hold")
    return Manifest(
        model_id=record["model_id"],
        revision=record["revision"],
        source=record["source"],
        model_format=record["format"],
        requested=record.get("requested") or {},
        files=files,
        created_at=record["created_at"],
        # why: an older release took folders on their structure alone, and did not say so
        known=bool(record.get("digests_known", record["source"] != "folder")),
        origins=tuple(Origin(**origin) for origin in record.get("origins", ())),
    )
