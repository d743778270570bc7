"""The manifest's form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_init.volume.manifest import parse, read


@pytest.mark.parametrize("path", ["../x.json", "/etc/passwd", "a/b", ""])
def test_a_manifest_that_names_files_elsewhere_is_none(tmp_path: Path, path: str) -> None:
    file = {"path": path, "size": 1, "sha256": "0", "stat": {"mtime_ns": 1, "ctime_ns": 1, "inode": 1}}
    record = {"schema": 1, "model_id": "a/b", "revision": None, "source": "hub", "format": "gguf"}
    target = tmp_path / "manifest.json"
    target.write_text(json.dumps(record | {"created_at": "2026-01-01", "files": [file]}))

    assert read(target) is None


@pytest.mark.parametrize(("source", "known"), [("hub", True), ("pypi", True), ("folder", False)])
def test_a_folder_of_an_older_release_was_taken_on_its_structure(source: str, known: bool) -> None:
    file = {"path": "m.gguf", "size": 1, "sha256": "0", "stat": {"mtime_ns": 1, "ctime_ns": 1, "inode": 1}}
    record = {"schema": 1, "model_id": "a/b", "revision": None, "source": source, "format": "gguf"}
    manifest = parse(json.dumps(record | {"created_at": "2026-01-01", "files": [file]}).encode())

    assert manifest is not None
    assert manifest.known is known


@pytest.mark.parametrize(
    "data", [b'{"schema": 1, "files": [{"path": "a", "size": 1e999, "sha256": "0"}]}', b"[" * 100_000]
)
def test_junk_is_none(data: bytes) -> None:
    assert parse(data) is None
