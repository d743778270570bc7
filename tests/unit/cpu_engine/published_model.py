"""A model's folder as model-init leaves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def publish(folder: Path, content: bytes = b"GGUF", changes: Mapping[str, object] | None = None) -> Path:
    """Write a model file and a manifest that fits it, but for `changes`; the folder."""
    folder.mkdir(parents=True)
    (folder / "model.gguf").write_bytes(content)
    files = [{"path": "model.gguf", "size": len(content)}]
    (folder / "manifest.json").write_text(
        json.dumps({"schema": 1, "format": "gguf", "files": files, **(changes or {})})
    )
    return folder
