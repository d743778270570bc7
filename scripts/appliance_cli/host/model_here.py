"""Finds the model's files where people's tools leave them on this host, so that nothing is fetched twice.

Looks, and changes nothing. What the files are worth is model-init's to prove; where tools leave them is
`model_files.on_disk`'s.
"""

import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance_cli.config.appliance import Engine
from appliance_cli.config.table import default_of
from model_files import on_disk

_WEIGHTS: dict[Engine, str] = {"gpu": ".safetensors", "cpu": ".gguf"}


@dataclass(frozen=True)
class ModelHere:
    """A model on this host. ``folder`` is what to mount: its files lie in it, behind links too.

    ``closed`` is something in it that only its owner may read, None when the containers can read all.
    """

    folder: Path
    size_bytes: int
    closed: Path | None


def look(values: Mapping[str, str], engine: Engine, home: Path) -> ModelHere | None:
    """The files of the model that the settings name, in the usual places.

    None where the settings name a folder or another source, and where the model comes in a package.
    """
    model_id = values.get("MODEL_ID") or (default_of("MODEL_ID") if engine == "gpu" else "")
    source = values.get("MODEL_SOURCE") or "auto"
    if not model_id or "/" not in model_id or values.get("MODEL_FOLDER") or source not in ("auto", "hub"):
        return None
    for place in _places(values, home):
        try:
            found = on_disk.find(place, model_id, values.get("MODEL_REVISION") or None)
            here = _measured(found, _WEIGHTS[engine]) if found else None
        except OSError:
            continue  # another person's
        if here:
            return here
    return None


def home_of_caller(environ: Mapping[str, str] = os.environ) -> Path:
    """The home of the person who runs this, also behind sudo."""
    try:
        return Path(pwd.getpwnam(environ["SUDO_USER"]).pw_dir)
    except KeyError:
        return Path(environ.get("HOME") or "/root")


def _places(values: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Caches by the variables that their tools read, then the tools' defaults."""
    cache = Path(values.get("XDG_CACHE_HOME") or home / ".cache")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "MODELSCOPE_CACHE"):
        if values.get(name):
            yield Path(values[name])
    yield cache / "huggingface"
    yield cache / "modelscope"


def _measured(found: on_disk.ModelOnDisk, suffix: str) -> ModelHere | None:
    """None without any weights for this engine."""
    in_snapshot = found.folder.parent.name == "snapshots"
    folder = (found.folder.parent.parent if in_snapshot else found.folder).resolve()
    files = [
        path
        for path in found.files().values()
        if path.suffix in (suffix, ".json", ".txt", ".jinja", ".model")
        and path.is_file()
        and path.resolve().is_relative_to(folder)
    ]
    weights = [path for path in files if path.suffix == suffix and not on_disk.is_pointer(path)]
    if not weights:
        return None
    closed = next((part for path in files for part in _way(folder, path) if not _is_open(part)), None)
    return ModelHere(folder, sum(path.stat().st_size for path in files), closed)


def _way(folder: Path, file: Path) -> Iterator[Path]:
    """What has to be open for the file to be read: every folder from the mounted one on, and itself."""
    target = file.resolve()
    for path in (file.parent.resolve() / file.name, target):
        yield from (parent for parent in reversed(path.parents) if parent.is_relative_to(folder))
    yield target


def _is_open(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return mode & wanted == wanted
