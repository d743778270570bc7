"""The real engine with a model in two files."""

from __future__ import annotations

import json
from pathlib import Path

from unit.cpu_engine.real_engine import GREEDY_CHAT, MODEL_ID, running_engine
from unit.cpu_engine.split_gguf import split

from model_init.checks.gguf import check_model


def test_a_model_in_two_parts_answers(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / MODEL_ID
    folder.mkdir(parents=True)
    names = split(models / MODEL_ID / "model.gguf", folder, "smollm2-q4_1")
    files = [{"path": name, "size": (folder / name).stat().st_size} for name in names]
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "format": "gguf", "files": files}))

    assert check_model({name: folder / name for name in names})["split.count"] == 2
    with running_engine(tmp_path, tmp_path / "log") as engine:
        answer = engine.post("/v1/chat/completions", GREEDY_CHAT).json()
    assert "Paris" in answer["choices"][0]["message"]["content"]
