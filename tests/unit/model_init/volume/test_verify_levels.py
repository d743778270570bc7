"""quick, full and auto at the start, and `verify` on a live system."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, SHARD_1, SHARD_2, WANTED, ModelInit, tiny_model
from harness.waiting import wait_until

# Damage that marks can't show: as if the disk had changed bits under the file system.
BLIND = """
import model_init.volume.present as present, model_init.volume.manifest as manifests
real = present.stat_mark
vouched = {}
def blind(path):
    mark = real(path)
    manifest = manifests.read(path.parent / "manifest.json")
    entry = next((f for f in manifest.files if f.path == path.name), None) if manifest else None
    return (entry.size, entry.stat) if mark and entry else mark
present.stat_mark = blind
"""


def flip(path: Path, position: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(position)
        byte = stream.read(1)[0]
        stream.seek(position)
        stream.write(bytes([byte ^ 1]))


def test_quick_trusts_marks_and_full_reads_every_byte(model_init: ModelInit) -> None:
    model_init.run()
    flip(model_init.folder / SHARD_1, 700_000)
    quick = model_init.run(prelude=BLIND, VERIFY="quick")
    assert "Checking every byte" not in quick.log
    full = model_init.run(prelude=BLIND, VERIFY="full")

    assert full.code == 0, full.log
    assert [entry["path"] for entry in full.status["repaired"]] == [SHARD_1]
    assert all(name in full.log.split("Checking every byte of ")[1].splitlines()[0] for name in WANTED)


def test_auto_reads_everything_when_one_file_looks_different(model_init: ModelInit) -> None:
    model_init.run()
    os.utime(model_init.folder / SHARD_1)
    read = model_init.run().log.split("Checking every byte of ")[1].splitlines()[0]

    assert sorted(read.split(", ")) == WANTED


def test_quick_reads_only_what_looks_different(model_init: ModelInit) -> None:
    model_init.run()
    os.utime(model_init.folder / SHARD_1)

    assert f"Checking every byte of {SHARD_1}\n" in model_init.run(VERIFY="quick").log


def test_auto_reads_everything_after_a_start_that_died(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    repo = hub.add(MODEL_ID, tiny_model() | {"merges.txt": b"c d\n"})
    process = model_init.start(MODEL_REVISION=repo.commit)

    def kill(name: str, position: int) -> None:
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: process.poll() is not None, "it is dead")

    hub.before_block = kill
    assert model_init.finish(process).code == -signal.SIGKILL
    hub.before_block = lambda name, position: None
    result = model_init.run()

    assert result.code == 0
    assert "The last start died before its end" in result.log
    assert "Checking every byte" in result.log
    assert "Checking every byte" not in model_init.run().log


def test_a_failure_that_was_reported_is_no_bad_end(model_init: ModelInit) -> None:
    model_init.run()
    assert model_init.run(MODEL_REVISION="v2").code == 11

    assert "Checking every byte" not in model_init.run().log


def test_verify_finds_damage_on_a_live_system_and_changes_nothing(model_init: ModelInit) -> None:
    model_init.run()
    status = (model_init.volume / "status.json").read_bytes()
    good = model_init.run("verify", "--json")
    assert (good.code, json.loads(good.out)["ok"]) == (0, True)
    flip(model_init.folder / SHARD_2, 1_000_000)
    (model_init.folder / "vocab.json").unlink()
    before = sorted((p.name, p.lstat().st_mtime_ns) for p in model_init.folder.iterdir())
    bad = model_init.run("verify", "--json")

    found = json.loads(bad.out)
    data = (model_init.folder / SHARD_2).read_bytes()
    assert bad.code == 14
    assert not found["ok"]
    assert [(entry["path"], entry["reason"]) for entry in found["bad"]] == [
        (SHARD_2, f"expected sha256 {sha256(tiny_model()[SHARD_2])}, found {sha256(data)}"),
        ("vocab.json", "expected a regular file, found none"),
    ]
    assert "start the appliance again" in bad.log
    assert sorted((p.name, p.lstat().st_mtime_ns) for p in model_init.folder.iterdir()) == before
    assert (model_init.volume / "status.json").read_bytes() == status


def test_verify_works_beside_a_model_init_that_holds_the_volume(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    results: list[int] = []

    def look(name: str, position: int) -> None:
        if not results:
            results.append(model_init.run("verify").code)

    hub.before_block = look
    hub.add("acme/second", tiny_model())
    assert model_init.run(MODEL_ID="acme/second").code == 0
    assert results == [0]


def test_verify_of_nothing_says_so(model_init: ModelInit) -> None:
    result = model_init.run("verify")

    assert result.code == 11
    assert "expected a model complete on the models volume, found none" in result.log


@pytest.mark.parametrize("name", ["extra.bin", "extra.safetensors"])
def test_verify_names_files_that_have_no_place(model_init: ModelInit, name: str) -> None:
    model_init.run()
    (model_init.folder / name).write_bytes(b"?")
    result = model_init.run("verify")

    assert result.code == 14
    assert f"{MODEL_ID}/{name}" in result.log
