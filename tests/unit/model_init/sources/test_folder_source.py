"""A model from a local folder, as an air-gapped site has it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, SHARD_1, SHARD_2, WANTED, ModelInit, tiny_model


@pytest.fixture
def import_dir(tmp_path: Path) -> Path:
    """A folder with the tiny model, as someone copied it."""
    path = tmp_path / "import"
    path.mkdir()
    for name, data in tiny_model().items():
        (path / name).write_bytes(data)
    return path


@pytest.fixture
def importer(import_dir: Path, offline_init: Callable[..., ModelInit]) -> ModelInit:
    """model-init, to bring the model from the folder."""
    return offline_init(MODEL_SOURCE="folder", IMPORT_DIR=str(import_dir))


def exported(importer: ModelInit, import_dir: Path) -> None:
    """Put a published model, with its manifest, into the folder."""
    assert importer.run().code == 0
    for path in importer.folder.iterdir():
        shutil.copy(path, import_dir)
    shutil.rmtree(importer.folder)


def test_a_folder_is_published_with_the_digests_of_its_files(importer: ModelInit) -> None:
    result = importer.run()

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert {f["path"]: f["sha256"] for f in result.manifest["files"]} == {
        name: sha256(tiny_model()[name]) for name in WANTED
    }
    assert result.manifest["source"] == "folder"
    assert not (importer.folder / "pytorch_model.bin").exists()


def test_the_second_start_does_not_need_the_folder(importer: ModelInit, import_dir: Path) -> None:
    importer.run()
    shutil.rmtree(import_dir)

    assert importer.run().code == 0


def test_a_damaged_copy_is_repaired_from_the_folder(importer: ModelInit) -> None:
    importer.run()
    (importer.folder / SHARD_1).write_bytes(b"damaged")
    result = importer.run()

    assert result.code == 0, result.log
    assert [entry["path"] for entry in result.status["repaired"]] == [SHARD_1]


def test_a_truncated_file_is_seen_by_its_structure(importer: ModelInit, import_dir: Path) -> None:
    data = (import_dir / SHARD_2).read_bytes()
    (import_dir / SHARD_2).write_bytes(data[:-1])
    result = importer.run()

    assert result.code == 15
    assert f"invalid model: {SHARD_2}: expected" in result.log
    assert importer.weights() == []


def test_a_manifest_in_the_folder_is_the_expectation(importer: ModelInit, import_dir: Path) -> None:
    exported(importer, import_dir)
    assert importer.run().code == 0

    shutil.rmtree(importer.folder)
    data = bytearray((import_dir / SHARD_2).read_bytes())
    data[-1] ^= 1
    (import_dir / SHARD_2).write_bytes(data)
    result = importer.run()
    assert result.code == 14
    assert f"expected sha256 {sha256(tiny_model()[SHARD_2])}, found {sha256(bytes(data))}" in result.log


def test_a_manifest_of_another_model_is_refused(importer: ModelInit, import_dir: Path) -> None:
    exported(importer, import_dir)
    result = importer.run(MODEL_ID="acme/other")

    assert result.code == 11
    assert f"found a manifest of {MODEL_ID} as safetensors" in result.log


def test_a_manifest_that_lists_pickle_files_does_not_bring_them(
    importer: ModelInit, import_dir: Path
) -> None:
    exported(importer, import_dir)
    record = json.loads((import_dir / "manifest.json").read_text())
    record["files"].append({**record["files"][0], "path": "pytorch_model.bin"})
    (import_dir / "manifest.json").write_text(json.dumps(record))

    assert importer.run().code == 0
    assert not (importer.folder / "pytorch_model.bin").exists()


def test_a_link_out_of_the_folder_is_refused(importer: ModelInit, import_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (import_dir / "vocab.json").unlink()
    (import_dir / "vocab.json").symlink_to(tmp_path / "secret.json")
    result = importer.run()

    assert result.code == 15
    assert "found a link out of it" in result.log


@pytest.mark.parametrize("found", ["no folder", "an empty folder"])
def test_there_is_no_model_in_the_folder(importer: ModelInit, import_dir: Path, found: str) -> None:
    shutil.rmtree(import_dir)
    if found == "an empty folder":
        import_dir.mkdir()
    result = importer.run()

    assert result.code == 11
    assert f"expected its files in {import_dir}, found {found}; set MODEL_FOLDER" in result.log


def test_another_label_imports_again(importer: ModelInit, import_dir: Path) -> None:
    importer.run()
    (import_dir / "vocab.json").write_text('{"b": 1}')

    assert importer.run().code == 0
    assert (importer.folder / "vocab.json").read_text() == '{"a": 0}\n'
    assert importer.run(MODEL_REVISION="second").code == 0
    assert (importer.folder / "vocab.json").read_text() == '{"b": 1}'


def test_an_unproven_weight_file_in_the_volume_is_moved_aside_before_the_import(importer: ModelInit) -> None:
    importer.folder.mkdir(parents=True)
    (importer.folder / SHARD_1).write_bytes(b"unknown")
    result = importer.run()

    assert result.code == 0, result.log
    assert (importer.folder / SHARD_1).read_bytes() == tiny_model()[SHARD_1]
    assert (importer.quarantine / f"{SHARD_1}.stray").read_bytes() == b"unknown"
