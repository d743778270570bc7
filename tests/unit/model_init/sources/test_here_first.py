"""A hub's model whose files people have already: used where they are right, fetched where they are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.model_init_run import MODEL_ID, SHARD_1, SHARD_2, WANTED, ModelInit, tiny_model

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model's files as somebody copied them."""
    path = tmp_path / "have"
    path.mkdir()
    for name in WANTED:
        (path / name).write_bytes(tiny_model()[name])
    return path


def test_what_is_there_is_not_fetched(hub: Hub, model_init: ModelInit, folder: Path) -> None:
    result = model_init.run(IMPORT_DIR=str(folder))

    assert result.code == 0, result.log
    assert hub.names() == []
    assert (
        f"found 9 of 9 files, 2.10 MB, in {folder}: they are verified and used, not fetched\n" in result.log
    )
    assert f", from {folder}\n" in result.log
    assert "9 files, 2.10 MB, verified (" in result.log
    assert result.manifest is not None
    assert result.manifest["source"] == "hub"


def test_what_is_missing_or_wrong_there_is_fetched(hub: Hub, model_init: ModelInit, folder: Path) -> None:
    (folder / SHARD_1).unlink()
    (folder / "vocab.json").write_bytes(b'{"b": 0}\n')
    result = model_init.run(IMPORT_DIR=str(folder))

    assert result.code == 0, result.log
    assert sorted(hub.names()) == [SHARD_1, "vocab.json"]
    assert f"{folder}/vocab.json: expected git-sha1 " in result.log
    assert "; not used\n" in result.log
    assert result.status["repaired"] == []


def damage(path: Path) -> None:
    """Flip a bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_wrong_file_there_is_read_once_whatever_comes_instead(
    hub: Hub, model_init: ModelInit, folder: Path
) -> None:
    damage(folder / SHARD_1)
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(wrong_byte=100)]
    result = model_init.run(IMPORT_DIR=str(folder))

    assert result.code == 0, result.log
    assert result.log.count("; not used\n") == 1
    assert len(hub.deliveries_of(SHARD_1)) == 2


def test_beside_a_wrong_file_there_only_the_doubtful_parts_come_again(
    hub: Hub, mirror: Hub, all_three: ModelInit, folder: Path
) -> None:
    damage(folder / SHARD_1)
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000, wrong_byte=100)]
    result = all_three.run(IMPORT_DIR=str(folder), MODEL_SOURCES="hub,hf-mirror")

    assert result.code == 0, result.log
    assert [r.range for r in mirror.deliveries_of(SHARD_1)] == ["bytes=400000-", "bytes=0-399999"]


@pytest.mark.parametrize("right", [False, True], ids=["a wrong file", "the right one"])
def test_what_came_by_network_before_is_given_up_only_for_the_right_file(
    hub: Hub, model_init: ModelInit, folder: Path, right: bool
) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000)]
    assert model_init.run(MODEL_RETRIES="0").code == 13
    hub.deliveries.clear()
    if not right:
        damage(folder / SHARD_1)
    result = model_init.run(IMPORT_DIR=str(folder))

    assert result.code == 0, result.log
    assert [r.range for r in hub.deliveries_of(SHARD_1)] == ([] if right else ["bytes=400000-"])


def test_a_cache_that_is_only_partly_there(hub: Hub, model_init: ModelInit, tmp_path: Path) -> None:
    for name in WANTED:
        if name != SHARD_2:
            hf_hub_download(MODEL_ID, name, endpoint=hub.endpoint, cache_dir=tmp_path / "c", token=False)
    hub.deliveries.clear()
    result = model_init.run(IMPORT_DIR=str(tmp_path / "c"))

    assert result.code == 0, result.log
    assert hub.names() == [SHARD_2]


def test_a_whole_cache_needs_no_hub_at_all(hub: Hub, model_init: ModelInit, tmp_path: Path) -> None:
    for name in WANTED:
        hf_hub_download(MODEL_ID, name, endpoint=hub.endpoint, cache_dir=tmp_path / "c", token=False)
    commit = hub.repos[MODEL_ID].commit
    result = model_init.run(IMPORT_DIR=str(tmp_path / "c"), HF_ENDPOINT=NOBODY)

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert (result.manifest["revision"], result.manifest["digests_known"]) == (commit, True)


@pytest.mark.parametrize(
    "environ",
    [
        {"OFFLINE": "1"},
        {"HF_ENDPOINT": NOBODY, "MODEL_RETRIES": "0"},
        {"HF_ENDPOINT": NOBODY, "MODEL_RETRIES": ""},
    ],
)
def test_where_nobody_knows_its_list_the_model_is_taken_as_it_is(
    model_init: ModelInit, folder: Path, environ: dict[str, str]
) -> None:
    result = model_init.run(IMPORT_DIR=str(folder), **environ)

    assert result.code == 0, result.log
    assert f"; the model in {folder} is taken as it is\n" in result.log
    assert "structure only, no digests known" in result.log


@pytest.mark.parametrize("target", ["/proc/self/mem", "/proc/self/status", "gone.json"])
def test_a_link_that_leads_to_no_file_of_the_folder_is_fetched(
    hub: Hub, model_init: ModelInit, folder: Path, target: str
) -> None:
    (folder / "vocab.json").unlink()
    (folder / "vocab.json").symlink_to(target)
    result = model_init.run(IMPORT_DIR=str(folder))

    assert result.code == 0, result.log
    assert hub.names() == ["vocab.json"]


def test_an_empty_folder_is_not_spoken_of(model_init: ModelInit, folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()

    assert str(folder) not in model_init.run(IMPORT_DIR=str(folder)).log
