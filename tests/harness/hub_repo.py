"""A model as a hub holds it: files, commit, digests, the faults set on it, and requests as they arrived."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from harness.hub_faults import Fault

LFS_SUFFIXES = (".safetensors", ".gguf", ".bin", ".model")


@dataclass(frozen=True)
class Request:
    """One request as it arrived; `file` is the name of the file that it is for, where it is for one."""

    method: str
    path: str
    range: str | None
    authorization: str | None
    user_agent: str = ""
    file: str = ""


@dataclass
class Repo:
    """One model with one revision: `main` and its commit. `gated` asks for this token on every file, `cdn` is
    where large files lie ("": on the hub itself).

    `info_blobs`: whether model info states sizes and digests; `tree`: whether there is an API for the tree.
    """

    files: dict[str, bytes]
    commit: str
    gated: str | None = None
    cdn: str = ""
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    info_fault: Fault | None = None
    info_extra: list[dict[str, object]] = field(default_factory=list)
    info_blobs: bool = True
    tree: bool = True

    def sibling(self, name: str) -> dict[str, object]:
        """One file as the API lists it with `blobs=true`."""
        data = self.files[name]
        if not self.info_blobs:
            return {"rfilename": name}
        entry: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": git_blob_id(data)}
        if name.endswith(LFS_SUFFIXES):
            pointer = f"version 1\noid sha256:{sha256(data)}\nsize {len(data)}\n".encode()
            lfs = {"sha256": sha256(data), "size": len(data), "pointerSize": len(pointer)}
            entry |= {"blobId": git_blob_id(pointer), "lfs": lfs}
        return entry

    def branch(self, name: str) -> dict[str, object]:
        """One file as the API of the tree lists it."""
        data = self.files[name]
        entry: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": git_blob_id(data)}
        if name.endswith(LFS_SUFFIXES):
            entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
        return entry


def sha256(data: bytes) -> str:
    """Hex digest of the bytes."""
    return hashlib.sha256(data).hexdigest()


def git_blob_id(data: bytes) -> str:
    """git's name for the bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
