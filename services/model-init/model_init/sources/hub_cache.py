"""A model in a cache of the Hub's own tools (`~/.cache/huggingface/hub`), mounted at /import.

Its layout is the library's to know (`scan_cache_dir`). Owns which snapshot is meant, and what the name of a
blob is worth: the digest that the Hub stated when the file was fetched, so a copy that went bad is noticed.
"""

from __future__ import annotations

import re

from huggingface_hub import CachedRevisionInfo, scan_cache_dir

from ..errors import ModelNotFound
from ..file_list import Digest, FileList, ListedFile
from ..selection import select_files
from ..settings import Settings
from .folder import FolderSource


class HubCacheSource(FolderSource):
    """See `sources.Source`. Files are links to blobs; both lie inside the mounted folder."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._snapshot = _snapshot(settings)
        self._files_at = self._snapshot.snapshot_path

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`. A blob that is missing has no entry."""
        settings, top = self._settings, self._snapshot.snapshot_path
        cached = {file.file_name: file for file in self._snapshot.files if file.file_path.parent == top}
        chosen, _ = select_files(list(cached), settings.model_format, settings.gguf_file)
        files = tuple(
            ListedFile(name, cached[name].size_on_disk, _digest(cached[name].blob_path.name))
            for name in chosen
        )
        return FileList("folder", settings.model_format, self._snapshot.commit_hash, files)


def _snapshot(settings: Settings) -> CachedRevisionInfo:
    """The one that MODEL_REVISION names by commit, branch or tag; without it `main`'s, else the newest."""
    repos = scan_cache_dir(settings.import_dir).repos
    revisions = [
        revision
        for repo in repos
        if (repo.repo_type, repo.repo_id) == ("model", settings.model_id)
        for revision in repo.revisions
    ]
    wanted = settings.revision or "main"
    named = [one for one in revisions if wanted == one.commit_hash or wanted in one.refs]
    newest = sorted(revisions, key=lambda one: one.last_modified)[-1:] if settings.revision is None else []
    for revision in named or newest:
        return revision
    found = ", ".join(sorted(repo.repo_id for repo in repos if repo.repo_type == "model")) or "no model"
    at = f" at {settings.revision}" if settings.revision else ""
    raise ModelNotFound(
        f"no such model: expected {settings.model_id}{at} in the Hub's cache at {settings.import_dir}, found "
        f"{found}; correct MODEL_ID or MODEL_REVISION, or set MODEL_FOLDER to another folder"
    )


def _digest(blob: str) -> Digest | None:
    if re.fullmatch(r"[0-9a-f]{64}", blob):
        return Digest("sha256", blob)
    return Digest("git-sha1", blob) if re.fullmatch(r"[0-9a-f]{40}", blob) else None
