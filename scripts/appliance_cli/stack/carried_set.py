"""The folder in which an appliance is carried to a machine without internet, and the list that proves it.

Knows names, sizes and digests of its files. What they hold and what is done with them is carry.py's business.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import BadSetting, StepFailed

LIST, IMAGES, MODEL, WHEELS = "set.json", "images.tar", "model.tar", "wheels"
FORMAT = 1


@dataclass(frozen=True)
class File:
    """One file of the set, as it has to be."""

    size: int
    sha256: str


@dataclass(frozen=True)
class CarriedSet:
    """What is in the folder: of which version, for which engine, with which settings of its .env."""

    version: str
    engine: str
    model: str
    images: tuple[str, ...]
    settings: Mapping[str, str]
    files: Mapping[str, File]


def write(
    folder: Path,
    version: str,
    engine: str,
    model: str,
    images: tuple[str, ...],
    settings: Mapping[str, str],
    tell: Callable[[str], None],
) -> CarriedSet:
    """Make the list of what lies in the folder; until it is there, the folder is no set."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LIST)
    files = {}
    for path in paths:
        name = str(path.relative_to(folder))
        tell(name)
        files[name] = measure(path)
    carried = CarriedSet(version, engine, model, images, settings, files)
    text = json.dumps({"format": FORMAT} | asdict(carried), indent=2)
    atomic_file.replace(folder / LIST, f"{text}\n".encode(), 0o644)
    return carried


def read(folder: Path) -> CarriedSet:
    """The set's list. Raises BadSetting where there is none, or one of another form."""
    try:
        content = json.loads((folder / LIST).read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError(f"not of form {FORMAT}")
        files = {name: File(**about) for name, about in content.pop("files").items()}
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
            raise ValueError("a file outside the folder")
        images = tuple(content.pop("images"))
        return CarriedSet(**content, images=images, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadSetting(
            "That is not a folder that `images save` wrote",
            expected=f"{folder / LIST}, of the version that this is",
            found=str(error) or type(error).__name__,
            remedy="name the folder itself, and carry all of it: a save that was cut writes no list",
        ) from None


def prove(folder: Path, carried: CarriedSet, tell: Callable[[str], None]) -> None:
    """Hold every file to the list. Raises StepFailed with those that are missing or differ."""
    wrong = []
    for name, expected in carried.files.items():
        tell(name)
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name}: missing")
        elif path.stat().st_size != expected.size:
            wrong.append(f"{name}: {path.stat().st_size} bytes in place of {expected.size}")
        elif measure(path) != expected:
            wrong.append(f"{name}: another SHA-256")
    if wrong:
        raise StepFailed(
            "The set is not as it was saved; nothing of it was used",
            expected=f"{len(carried.files)} files as {LIST} lists them",
            found="; ".join(wrong),
            remedy="copy it again from where it was saved",
        )


def measure(path: Path) -> File:
    """A file's size and SHA-256."""
    with path.open("rb") as stream:
        return File(path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())
