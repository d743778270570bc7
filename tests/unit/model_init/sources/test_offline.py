"""OFFLINE=1 opens no socket at all, and serves what is here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.model_init_run import MODEL_ID, NO_SOCKETS, SHARD_1, ModelInit, tiny_model


def test_the_hook_of_these_tests_bites(model_init: ModelInit) -> None:
    assert model_init.run(prelude=NO_SOCKETS).code == 99


def test_offline_a_complete_model_is_ready_without_a_socket(model_init: ModelInit) -> None:
    model_init.run()
    for level in ("quick", "full"):
        result = model_init.run(prelude=NO_SOCKETS, OFFLINE="1", VERIFY=level)
        assert result.code == 0, result.out + result.log


def test_offline_a_damaged_model_is_named_without_a_socket(model_init: ModelInit) -> None:
    model_init.run()
    (model_init.folder / SHARD_1).write_bytes(b"?")
    result = model_init.run(prelude=NO_SOCKETS, OFFLINE="1")

    assert result.code == 13
    assert f"found {SHARD_1} missing, and OFFLINE=1 forbids every connection" in result.log


@pytest.mark.parametrize("model_id", [MODEL_ID, "Qwen/Qwen2.5-7B-Instruct"])
def test_offline_an_empty_volume_is_told_what_to_do(model_init: ModelInit, model_id: str) -> None:
    space = "import shutil; shutil.disk_usage = lambda p: shutil._ntuple_diskusage(10**12, 0, 10**12)"
    result = model_init.run(prelude=NO_SOCKETS + space, OFFLINE="1", MODEL_ID=model_id)

    assert result.code == 13
    assert "scripts/appliance model import" in result.log


def test_offline_what_was_fetched_by_a_branch_is_ready_however_it_is_named(
    hub: Hub, model_init: ModelInit
) -> None:
    model_init.run(MODEL_REVISION="main")
    commit = hub.repos[MODEL_ID].commit
    for revision in ("main", "", "v1", commit):
        result = model_init.run(prelude=NO_SOCKETS, OFFLINE="1", MODEL_REVISION=revision)
        assert result.code == 0, result.log
    assert (
        f"offline: using {MODEL_ID} at {commit[:12]} as it is on the volume (from hub)\n"
        in model_init.run(OFFLINE="1").log
    )
    other = model_init.run(prelude=NO_SOCKETS, OFFLINE="1", MODEL_REVISION="f" * 40)
    assert other.code == 13


def test_offline_a_model_from_a_folder_is_ready(model_init: ModelInit, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in tiny_model().items():
        (folder / name).write_bytes(data)
    assert model_init.run(MODEL_SOURCE="folder", IMPORT_DIR=str(folder)).code == 0
    for source in ("auto", "hub", "folder"):
        result = model_init.run(prelude=NO_SOCKETS, OFFLINE="1", MODEL_SOURCE=source)
        assert result.code == 0, result.log
        assert "structure only, no digests known" in result.log


def test_offline_an_imported_model_is_ready_whatever_revision_its_exporter_asked_for(
    model_init: ModelInit, tmp_path: Path
) -> None:
    model_init.run(MODEL_REVISION="main")
    export = subprocess.run(
        model_init.command("export", MODEL_ID), env=model_init.environ, capture_output=True
    ).stdout
    (tmp_path / "other").mkdir()
    elsewhere = ModelInit(tmp_path / "other", OFFLINE="1")
    done = subprocess.run(
        elsewhere.command("import"), env=elsewhere.environ, input=export, capture_output=True
    )
    assert done.returncode == 0, done.stderr

    assert elsewhere.run(prelude=NO_SOCKETS).code == 0
    assert elsewhere.run(prelude=NO_SOCKETS, MODEL_SOURCE="folder").code == 0
