"""The models on the volume: which there are, in what state, and removing one. Proves nothing itself.

Also owns `.verified.json` at the volume's root: when each model's bytes were last read whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..digests import stat_mark
from ..errors import ModelNotFound, SettingsError
from . import manifest as manifests
from .layout import ModelFolder, sync_folder

_VERIFIED = ".verified.json"
_RESERVED = ("out", "lost+found")


@dataclass(frozen=True)
class ModelOnDisk:
    """One model. `disk_bytes` counts everything in its folder, also unfinished and quarantined files."""

    model_id: str
    revision: str | None
    source: str | None
    format: str | None
    size_bytes: int
    disk_bytes: int
    files: int
    complete: bool
    in_use: bool
    last_verified: str | None

    def as_json(self) -> dict[str, Any]:
        """For `list --json`."""
        return asdict(self)


def folders(models_dir: Path) -> Iterator[tuple[str, ModelFolder]]:
    """Every model's folder with its id, complete or not."""
    for organisation in sorted(models_dir.iterdir()):
        if (
            organisation.name.startswith(".")
            or organisation.name in _RESERVED
            or not _is_folder(organisation)
        ):
            continue
        for path in sorted(organisation.iterdir()):
            if _is_folder(path) and not path.name.startswith("."):
                model_id = f"{organisation.name}/{path.name}"
                yield model_id, ModelFolder(models_dir, model_id)


def list_models(models_dir: Path, used: str) -> list[ModelOnDisk]:
    """All models of the volume; `used` is the id that the appliance is set to serve."""
    verified = _read_verified(models_dir)
    return [_look(model_id, folder, used, verified) for model_id, folder in folders(models_dir)]


def _look(model_id: str, folder: ModelFolder, used: str, verified: dict[str, str]) -> ModelOnDisk:
    manifest = manifests.read(folder.manifest)
    files = manifest.files if manifest else ()
    sizes = [stat_mark(folder.path / file.path) for file in files]
    whole = all(mark is not None and mark[0] == file.size for mark, file in zip(sizes, files, strict=True))
    return ModelOnDisk(
        model_id=model_id,
        revision=manifest.revision if manifest else None,
        source=manifest.source if manifest else None,
        format=manifest.model_format if manifest else None,
        size_bytes=sum(file.size for file in files),
        disk_bytes=_bytes_below(folder.path),
        files=len(files),
        complete=manifest is not None and whole,
        in_use=model_id == used,
        last_verified=(verified.get(model_id) or manifest.created_at) if manifest else None,
    )


def remove_model(models_dir: Path, model_id: str, used: str, *, force: bool) -> int:
    """Delete a model with all that lies in its folder. Returns the bytes freed.

    Raises:
        ModelNotFound: there is no such model.
        SettingsError: it is the one in use, and `force` is not set.
    """
    folder = ModelFolder(models_dir, model_id)
    if not _is_folder(folder.path.parent) or not _is_folder(folder.path):
        raise ModelNotFound(
            f"no such model: expected {model_id} on the models volume, found none; see `list`"
        )
    if model_id == used and not force:
        raise SettingsError(
            f"MODEL_ID: expected a model that is not in use, found {model_id}, which the appliance is "
            "set to serve; switch to another one first, or use --force"
        )
    freed = _bytes_below(folder.path)
    folder.manifest.unlink(missing_ok=True)
    sync_folder(folder.path)
    shutil.rmtree(folder.path)
    with contextlib.suppress(OSError):
        folder.path.parent.rmdir()  # other models of the organisation keep it
    return freed


def note_verified(models_dir: Path, model_ids: list[str]) -> None:
    """Remember that these models' bytes were all right just now; a read-only volume forgets it."""
    verified = _read_verified(models_dir) | dict.fromkeys(
        model_ids, datetime.now(UTC).isoformat(timespec="seconds")
    )
    new = models_dir / f"{_VERIFIED}.new"
    with contextlib.suppress(OSError):
        new.write_text(json.dumps(verified, indent=1) + "\n", encoding="utf-8")
        os.replace(new, models_dir / _VERIFIED)


def _read_verified(models_dir: Path) -> dict[str, str]:
    try:
        return {str(k): str(v) for k, v in json.loads((models_dir / _VERIFIED).read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total
