"""The model that model-init published, and everything that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.cpu_engine.published_model import publish

from cpu_engine.errors import ModelError
from cpu_engine.llama.published import published_gguf


def test_the_published_file_is_found(tmp_path: Path) -> None:
    folder = publish(tmp_path / "m")
    assert published_gguf(folder) == folder / "model.gguf"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "expected schema 1, found 2"),
        (
            {"format": "safetensors"},
            "expected format 'gguf', found 'safetensors', run model-init with MODEL_FORMAT=gguf",
        ),
        ({"files": []}, "expected one .gguf file or all parts of one, found 0"),
        ({"files": [{"path": "a.gguf"}, {"path": "b.gguf"}]}, "file or all parts of one, found 2"),
        (
            {"files": [{"path": "m-00001-of-00003.gguf"}, {"path": "m-00003-of-00003.gguf"}]},
            "file or all parts of one, found 2",
        ),
        ({"files": [{"path": "../x.gguf", "size": 4}]}, "expected a path inside it"),
        ({"files": [{"path": "gone.gguf", "size": 4}]}, "expected the published model, found No such file"),
        ({"files": [{"path": "model.gguf", "size": 5}]}, "expected 5 bytes, found 4"),
    ],
)
def test_a_manifest_of_something_else(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message.replace("(", r"\(")):
        published_gguf(publish(tmp_path / "m", changes=changes))


def test_of_several_parts_the_first_is_given_when_all_are_there(tmp_path: Path) -> None:
    names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]
    files = [{"path": name, "size": 4} for name in reversed(names)]
    folder = publish(tmp_path / "m", changes={"files": files})
    for name in names:
        (folder / name).write_bytes(b"GGUF")
    assert published_gguf(folder) == folder / names[0]

    (folder / names[1]).unlink()
    with pytest.raises(ModelError, match=r"m-00002-of-00002.gguf: expected the published model"):
        published_gguf(folder)
