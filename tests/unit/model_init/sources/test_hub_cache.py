"""A model from a cache that huggingface_hub itself filled."""

from __future__ import annotations

import re
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
    assert f"corrupt download: {name}" in result.log
    assert result.manifest is None


def test_a_shard_that_was_never_fetched_is_named(cache: Path, importer: ModelInit) -> None:
    next(cache.glob(f"models--*/snapshots/*/{SHARD_1}")).unlink()
    result = importer.run()

    assert result.code == 15
    assert f"found no {SHARD_1}" in result.log


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"MODEL_ID": "acme/other"}, f"expected acme/other in the Hub's cache at .*, found {MODEL_ID};"),
        ({"MODEL_REVISION": "v9"}, f"expected {MODEL_ID} at v9 in the Hub's cache"),
    ],
)
def test_another_model_or_revision_is_not_there(
    importer: ModelInit, environ: dict[str, str], message: str
) -> None:
    result = importer.run(**environ)

    assert result.code == 11
    assert re.search(message, result.log), result.log


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
