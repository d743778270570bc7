"""Finds the GGUF file that model-init published, or the first of its parts.

Owns the reading of manifest.json. Does not verify checksums: model-init did, before it wrote the manifest.
llama.cpp finds the other parts beside the first, by its name.
"""

import json
import re
from pathlib import Path, PurePosixPath

from cpu_engine.errors import ModelError

MANIFEST = "manifest.json"
SCHEMA = 1


def published_gguf(folder: Path) -> Path:
    """Path of the GGUF file named by the manifest in `folder`, the first part where there are several.

    Raises:
        ModelError: no manifest, a manifest of something else, or a file that is not what the manifest says.
    """
    manifest = _read_manifest(folder / MANIFEST)
    if manifest.get("schema") != SCHEMA:
        raise ModelError(
            f"{folder / MANIFEST}: expected schema {SCHEMA}, found {manifest.get('schema')!r}, "
            "use model-init and cpu-engine of the same release"
        )
    if manifest.get("format") != "gguf":
        raise ModelError(
            f"{folder / MANIFEST}: expected format 'gguf', found {manifest.get('format')!r}, "
            "run model-init with MODEL_FORMAT=gguf"
        )
    entries = sorted(
        (entry for entry in _entries(manifest) if str(entry.get("path", "")).endswith(".gguf")),
        key=lambda entry: str(entry["path"]),
    )
    if len(entries) != 1 and not _are_parts([str(entry["path"]) for entry in entries]):
        raise ModelError(
            f"{folder / MANIFEST}: expected one .gguf file or all parts of one, found {len(entries)}, run "
            "model-init again"
        )
    paths = [_checked_file(folder, entry) for entry in entries]
    return paths[0]


def _are_parts(names: list[str]) -> bool:
    """Whether these are all parts of one model, in order."""
    base = re.sub(r"-\d{5}-of-\d{5}\.gguf$", "", names[0]) if names else ""
    total = len(names)
    return total > 1 and names == [f"{base}-{n:05d}-of-{total:05d}.gguf" for n in range(1, total + 1)]


def _read_manifest(path: Path) -> dict[str, object]:
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(
            f"{path}: expected a complete model, found no manifest, run model-init first"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: expected readable JSON, found {error}, run model-init again") from None
    if not isinstance(manifest, dict):
        raise ModelError(
            f"{path}: expected a JSON object, found {type(manifest).__name__}, run model-init again"
        )
    return manifest


def _entries(manifest: dict[str, object]) -> list[dict[str, object]]:
    files = manifest.get("files")
    return [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []


def _checked_file(folder: Path, entry: dict[str, object]) -> Path:
    relative = PurePosixPath(str(entry["path"]))
    if relative.is_absolute() or ".." in relative.parts:
        raise ModelError(
            f"{folder / MANIFEST}: expected a path inside it, found '{relative}', run model-init again"
        )
    path = folder / relative
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(
            f"{path}: expected the published model, found {error.strerror}, run model-init again"
        ) from None
    if size != entry.get("size"):
        raise ModelError(f"{path}: expected {entry.get('size')} bytes, found {size}, run model-init again")
    return path
