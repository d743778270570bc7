"""Where people's tools leave a model on a disk, and what they note of its files. Reads names, no weights.

The Hub's cache (`models--org--name`, with snapshots of links into blobs, each named by its digest), a folder
of `hf download --local-dir` (with notes in .cache/huggingface/download), ModelScope's caches (a dot of the
name may be `___`), a git clone, or simply a folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# below what a person names or what tools use: the folders that hold models
_HOLDERS = ("", "hub", "huggingface/hub", ".cache/huggingface/hub", "models", "hub/models")
_SCOPE_HOLDERS = (".cache/modelscope/hub/models", "modelscope/hub/models", ".cache/modelscope/models")
_MODEL_FILES = (".safetensors", ".gguf")
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_POINTER = b"version https://git-lfs.github.com/spec/v1"


@dataclass(frozen=True)
class ModelOnDisk:
    """A model's files, at the top of one folder. `revision` is the commit, where the place tells it."""

    folder: Path
    revision: str | None

    def files(self) -> dict[str, Path]:
        """The files at its top by name, links to files among them, also those that lead nowhere."""
        return {
            path.name: path for path in sorted(self.folder.iterdir()) if path.is_symlink() or path.is_file()
        }


def find(root: Path, model_id: str, revision: str | None = None) -> ModelOnDisk | None:
    """The model below a folder that someone named or mounted, None when there is none.

    Args:
        revision: a branch, tag or commit of the Hub; caches may hold several.

    Raises:
        OSError: something on the way cannot be read.
    """
    if not root.is_dir():
        return None
    if _holds_a_model(root):
        return ModelOnDisk(root, _noted_commit(root))
    for folder in _candidates(root, model_id):
        if (folder / "snapshots").is_dir():
            snapshot = _snapshot(folder, revision)
            if snapshot is not None:
                return snapshot
        elif folder != root and folder.is_dir() and _holds_a_model(folder):
            return ModelOnDisk(folder, _noted_commit(folder))
    return None


def digest_of(file: Path) -> str | None:
    """The digest that the Hub stated when a tool fetched this file: SHA-256, or git's for a small file."""
    target = file.resolve()
    if target.parent.name == "blobs" and _DIGEST.fullmatch(target.name):
        return target.name
    noted = _note(file)
    return noted[1] if noted and _DIGEST.fullmatch(noted[1]) else None


def is_pointer(file: Path) -> bool:
    """Whether git-lfs has left a note of the file in its place, as a clone without `git lfs pull` does."""
    if file.stat().st_size > 1024:
        return False
    with file.open("rb") as stream:
        return stream.read(len(_POINTER)) == _POINTER


def _candidates(root: Path, model_id: str) -> Iterator[Path]:
    yield root
    organisation, name = model_id.split("/")
    for holder in (*_HOLDERS, *_SCOPE_HOLDERS):
        yield root / holder / f"models--{organisation}--{name}"
        yield root / holder / f"{organisation}--{name}"
        yield root / holder / organisation / name
        yield root / holder / organisation / name.replace(".", "___")
    yield root / name


def _holds_a_model(folder: Path) -> bool:
    return any(path.name == "config.json" or path.suffix in _MODEL_FILES for path in folder.iterdir())


def _snapshot(repository: Path, revision: str | None) -> ModelOnDisk | None:
    """By commit, branch or tag; without a revision that of `main`, else the newest."""
    snapshots = {path.name: path for path in (repository / "snapshots").iterdir() if path.is_dir()}
    wanted = revision or "main"
    ref = repository / "refs" / wanted
    commit = ref.read_text(encoding="utf-8", errors="replace").strip() if ref.is_file() else wanted
    newest = sorted(snapshots.values(), key=lambda path: path.stat().st_mtime)[-1:] if not revision else []
    for folder in [snapshots[commit]] if commit in snapshots else newest:
        return ModelOnDisk(folder, folder.name if _DIGEST.fullmatch(folder.name) else None)
    return None


def _noted_commit(folder: Path) -> str | None:
    """The commit that all notes of `hf download --local-dir` agree on."""
    notes = [_note(path) for path in folder.iterdir() if path.is_file()]
    commits = {note[0] for note in notes if note}
    return commits.pop() if len(commits) == 1 else None


def _note(file: Path) -> tuple[str, str] | None:
    """Commit and tag that `hf download --local-dir` noted, unless the file has changed since."""
    note = file.parent / ".cache" / "huggingface" / "download" / f"{file.name}.metadata"
    try:
        commit, tag, when = note.read_text(encoding="utf-8").split()[:3]
        return (commit, tag) if file.stat().st_mtime - 1 <= float(when) else None
    except (OSError, ValueError):
        return None
