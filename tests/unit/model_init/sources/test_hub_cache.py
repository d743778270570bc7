"""A model from a cache that huggingface_hub itself filled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download

from harness.hub import Hub
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, SHARD_1, WANTED, ModelInit, tiny_model


@pytest.fixture
def cache(hub: Hub, tmp_path: Path) -> Path:
    """A cache as `hf download` leaves it, of the branch main."""
    path = tmp_path / "cache"
    for name in WANTED:
        hf_hub_download(MODEL_ID, name, endpoint=hub.endpoint, cache_dir=path, token=False)
    hub.deliveries.clear()
    return path


@pytest.fixture
def importer(cache: Path, offline_init: Callable[..., ModelInit]) -> ModelInit:
    """model-init, to bring the model from the cache, without any network."""
    return offline_init(MODEL_SOURCE="folder", IMPORT_DIR=str(cache), OFFLINE="1")


def blob_of(cache: Path, name: str) -> Path:
    """Where the bytes of a cached file lie."""
    return next(cache.glob(f"models--*/snapshots/*/{name}")).resolve()


def test_a_cached_model_is_published_with_its_commit_and_without_the_hub(
    hub: Hub, importer: ModelInit
) -> None:
    result = importer.run()

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert result.manifest["revision"] == hub.repos[MODEL_ID].commit
    assert {file["path"]: file["sha256"] for file in result.manifest["files"]} == {
        name: sha256(tiny_model()[name]) for name in WANTED
    }
    assert not any(path.is_symlink() for path in importer.folder.iterdir())
    assert not hub.deliveries


@pytest.mark.parametrize("name", [SHARD_1, "vocab.json"], ids=["lfs file", "small file"])
def test_a_cached_file_that_went_bad_is_not_published(cache: Path, importer: ModelInit, name: str) -> None:
    blob = blob_of(cache, name)
    data = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    result = importer.run()

    assert result.code == 14
    assert f"damaged or another version: {name} in {cache}: expected " in result.log
    assert result.manifest is None


def test_a_shard_that_was_never_fetched_is_named(cache: Path, importer: ModelInit) -> None:
    next(cache.glob(f"models--*/snapshots/*/{SHARD_1}")).unlink()
    result = importer.run()

    assert result.code == 15
    assert f"found no {SHARD_1}" in result.log


def test_a_download_that_has_not_ended_is_named(cache: Path, importer: ModelInit) -> None:
    blob_of(cache, SHARD_1).unlink()
    result = importer.run()

    assert result.code == 11
    assert f"no such file: expected {SHARD_1} in {cache}, found a link to nothing (../../blobs/" in result.log
    assert (
        "its download has not ended; MODEL_SOURCE=hub fetches what is missing and uses the rest" in result.log
    )


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({"MODEL_ID": "acme/other"}, "acme/other"), ({"MODEL_REVISION": "v9"}, f"{MODEL_ID} at v9")],
)
def test_another_model_or_revision_is_not_there(
    cache: Path, importer: ModelInit, environ: dict[str, str], wanted: str
) -> None:
    result = importer.run(**environ)

    assert result.code == 11
    assert f"no such model: expected {wanted} in {cache}, found " in result.log
    assert "models--acme--tiny-chat" in result.log


@pytest.mark.parametrize("below", ["hub", "huggingface/hub", ".cache/huggingface/hub"])
def test_a_folder_above_the_cache_will_do(
    cache: Path, importer: ModelInit, tmp_path: Path, below: str
) -> None:
    root = tmp_path / "root"
    (root / below).parent.mkdir(parents=True)
    cache.rename(root / below)

    assert importer.run(IMPORT_DIR=str(root)).code == 0


def test_the_model_s_own_folder_in_the_cache_will_do(cache: Path, importer: ModelInit) -> None:
    result = importer.run(IMPORT_DIR=str(next(cache.glob("models--*"))))

    assert result.code == 0, result.log
    assert "9 files, 2.10 MB, verified (" in result.log


def test_a_snapshot_alone_has_its_files_elsewhere(cache: Path, importer: ModelInit) -> None:
    snapshot = next(cache.glob("models--*/snapshots/*"))
    result = importer.run(IMPORT_DIR=str(snapshot))

    assert result.code == 15
    assert (
        f"expected config.json to lie inside {snapshot}, found a link out of it, to ../../blobs/"
        in result.log
    )


def test_a_local_dir_of_hf_download_is_held_to_what_the_hub_stated(
    hub: Hub, offline_init: Callable[..., ModelInit], tmp_path: Path
) -> None:
    folder = tmp_path / "local"
    for name in WANTED:
        hf_hub_download(MODEL_ID, name, endpoint=hub.endpoint, local_dir=folder, token=False)
    importer = offline_init(MODEL_SOURCE="folder", IMPORT_DIR=str(folder), OFFLINE="1")
    good = importer.run()
    assert good.code == 0, good.log
    assert "9 files, 2.10 MB, verified (" in good.log
    assert good.manifest is not None
    assert good.manifest["revision"] == hub.repos[MODEL_ID].commit

    shutil.rmtree(importer.folder)
    path = folder / SHARD_1
    before, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert importer.run().code == 14


def test_a_revision_is_found_by_its_commit_and_without_a_branch(
    hub: Hub, cache: Path, importer: ModelInit
) -> None:
    shutil.rmtree(next(cache.glob("models--*/refs")))
    commit = hub.repos[MODEL_ID].commit

    assert importer.run(MODEL_REVISION=commit).code == 0
    shutil.rmtree(importer.folder)
    assert importer.run().code == 0


def test_a_link_out_of_the_cache_is_refused(cache: Path, importer: ModelInit, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    link = next(cache.glob("models--*/snapshots/*/vocab.json"))
    link.unlink()
    link.symlink_to(tmp_path / "secret")
    result = importer.run()

    assert result.code == 15
    assert "found a link out of it" in result.log
