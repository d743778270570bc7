"""The file list of a hub, kept from the first time it was asked (trust on first use). Owns `.expected.json`.

So an interrupted download goes on with the same revision and digests, without asking again, and whoever
carries the bytes later has to match what was first stated. A published model's manifest takes over from it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from ..file_list import Digest, FileList, ListedFile
from ..selection import is_plain_name
from ..settings import Settings
from .layout import ModelFolder
from .manifest import requested


def load(folder: ModelFolder, settings: Settings) -> FileList | None:
    """The kept list, if it answers these settings and can be read."""
    try:
        record = json.loads(folder.expected.read_text(encoding="utf-8"))
        return _parse(record, settings) if record["for"] == _key(settings) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(folder: ModelFolder, settings: Settings, file_list: FileList) -> None:
    """Remember a list. Only those of hubs are worth it: other sources carry theirs."""
    if file_list.source != "hub" or not all(file.digest for file in file_list.files):
        return
    record = {
        "schema": 1,
        "for": _key(settings),
        "revision": file_list.revision,
        "files": [asdict(file) for file in file_list.files],
    }
    new = folder.path / ".expected.json.new"
    new.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(new, folder.expected)


def forget(folder: ModelFolder) -> None:
    """The list led nowhere: ask again next time."""
    folder.expected.unlink(missing_ok=True)


def _key(settings: Settings) -> dict[str, str | None]:
    return {"format": settings.model_format, "source": settings.source, **requested(settings)}


def _parse(record: dict[str, Any], settings: Settings) -> FileList:
    files = tuple(ListedFile(f["path"], int(f["size"]), Digest(**f["digest"])) for f in record["files"])
    if record["schema"] != 1 or not files or not all(is_plain_name(file.path) for file in files):
        raise ValueError("another schema, no files, or names that no model may hold")
    return FileList("hub", settings.model_format, record["revision"], files)
