"""The manifest's form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_init.volume.manifest import read


@pytest.mark.parametrize("path", ["../x.json", "/etc/passwd", "a/b", ""])
def test_a_manifest_that_names_files_elsewhere_is_none(tmp_path: Path, path: str) -> None:
    file = {"path": path, "size": 1, "sha256": "0", "stat": {"mtime_ns": 1, "ctime_ns": 1, "inode": 1}}
    record = {"schema": 1, "model_id": "a/b", "revision": None, "source": "hub", "format": "gguf"}
    target = tmp_path / "manifest.json"
    target.write_text(json.dumps(record | {"created_at": "2026-01-01", "files": [file]}))

    assert read(target) is None
