"""Later starts: nothing is fetched twice, damage is found and repaired, interruptions continue."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.hub_repo import sha256
from harness.model_init_run import (
    FILLING_DISK,
    MODEL_ID,
    SHARD_1,
    SHARD_2,
    WANTED,
    ModelInit,
    tensors,
    tiny_model,
)
from harness.waiting import wait_until

NO_HUB = "http://127.0.0.1:9"


def damage(path: Path, position: int) -> bytes:
    """Flip one bit of a file and put its modification time back, as a failing disk would leave it."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    with path.open("r+b") as stream:
        stream.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return bytes(data)


def test_the_second_start_needs_no_network_and_reads_no_file(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    hub.requests.clear()
    no_reading = "import model_init.digests; del model_init.digests.Hasher.update"
    result = model_init.run(HF_ENDPOINT=NO_HUB, prelude=no_reading)

    assert result.code == 0, result.log
    assert result.status["stage"] == "ready"
    assert not hub.requests


def test_the_second_start_imports_no_client(model_init: ModelInit) -> None:
    model_init.run()
    forbid = "import sys; sys.modules['huggingface_hub'] = None; sys.modules['httpx2'] = None"

    assert model_init.run(prelude=forbid).code == 0


def test_a_flipped_bit_with_its_time_put_back_is_repaired_alone(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    bad = damage(model_init.folder / SHARD_2, 600_000)
    untouched = (model_init.folder / SHARD_1).stat().st_ctime_ns
    hub.deliveries.clear()
    result = model_init.run()

    good = tiny_model()[SHARD_2]
    assert result.code == 0, result.log
    assert (model_init.folder / SHARD_2).read_bytes() == good
    assert result.status["repaired"] == [
        {"path": SHARD_2, "expected_sha256": sha256(good), "found_sha256": sha256(bad)}
    ]
    assert [request.path.rsplit("/", 1)[1] for request in hub.deliveries] == [SHARD_2]
    assert (model_init.quarantine / f"{SHARD_2}.sha256-{sha256(bad)}").read_bytes() == bad
    assert (model_init.folder / SHARD_1).stat().st_ctime_ns == untouched
    assert f"damaged: {SHARD_2}: expected sha256 {sha256(good)}, found {sha256(bad)}" in result.log
    assert f"repaired {SHARD_2}" in result.log

    hub.requests.clear()
    assert model_init.run().code == 0
    assert not hub.requests


def test_damage_is_repaired_when_the_network_is_back(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    bad = damage(model_init.folder / SHARD_1, 10)
    offline = model_init.run(HF_ENDPOINT=NO_HUB)

    assert offline.code == 13
    assert offline.manifest is None
    assert model_init.weights() == [SHARD_2]

    hub.requests.clear()
    result = model_init.run()
    assert result.code == 0, result.log
    assert result.manifest is not None
    assert [request.path.rsplit("/", 1)[1] for request in hub.deliveries][-1] == SHARD_1
    assert not any(request.path.startswith("/api/") for request in hub.requests)
    assert [(r["path"], r["found_sha256"]) for r in result.status["repaired"]] == [(SHARD_1, sha256(bad))]


def test_a_touched_file_is_read_found_good_and_trusted_again(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    os.utime(model_init.folder / SHARD_1)
    hub.requests.clear()
    result = model_init.run(HF_ENDPOINT=NO_HUB)

    assert result.code == 0, result.log
    assert "Checking every byte of" in result.log
    assert "Checking every byte" not in model_init.run(HF_ENDPOINT=NO_HUB).log


def test_a_volume_restored_from_a_backup_is_good(model_init: ModelInit) -> None:
    model_init.run()
    shutil.copytree(model_init.folder, model_init.volume / "copy")
    shutil.rmtree(model_init.folder)
    (model_init.volume / "copy").rename(model_init.folder)

    assert model_init.run(HF_ENDPOINT=NO_HUB).code == 0


def test_a_missing_file_is_fetched_alone(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    (model_init.folder / "config.json").unlink()
    hub.deliveries.clear()

    assert model_init.run().code == 0
    assert [request.path.rsplit("/", 1)[1] for request in hub.deliveries] == ["config.json"]


@pytest.mark.parametrize("content", ["", "{", '{"schema": 1}', '{"schema": 2}', "[]"])
def test_without_a_readable_manifest_files_are_read_not_fetched(
    hub: Hub, model_init: ModelInit, content: str
) -> None:
    model_init.run()
    (model_init.folder / "manifest.json").write_text(content)
    hub.deliveries.clear()
    result = model_init.run()

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert len(result.manifest["files"]) == len(WANTED)
    assert not hub.deliveries


def test_a_stray_weight_file_is_moved_aside(model_init: ModelInit) -> None:
    model_init.run()
    (model_init.folder / "adapter.safetensors").write_bytes(b"?")
    result = model_init.run()

    assert result.code == 0
    assert model_init.weights() == [SHARD_1, SHARD_2]
    assert (model_init.quarantine / "adapter.safetensors.stray").read_bytes() == b"?"
    assert "warning: adapter.safetensors is no part of the model" in result.log


@pytest.mark.parametrize("position", [0, 300_000, 1_000_000])
def test_kill_9_in_the_middle_and_start_again(hub: Hub, model_init: ModelInit, position: int) -> None:
    process = model_init.start()

    def kill(name: str, at: int) -> None:
        if name == SHARD_2 and at >= position and process.poll() is None:
            wait_until(lambda: model_init.partial_size(SHARD_2) >= at, f"{at} bytes are on disk")
            process.kill()
            process.wait()

    hub.before_block = kill
    killed = model_init.finish(process)
    assert killed.code == -signal.SIGKILL
    assert model_init.weights() == []
    had = model_init.partial_size(SHARD_2)
    assert had >= position

    hub.before_block = lambda name, at: None
    hub.deliveries.clear()
    result = model_init.run()
    assert result.code == 0, result.log
    assert (model_init.folder / SHARD_2).read_bytes() == tiny_model()[SHARD_2]
    assert [request.range for request in hub.deliveries_of(SHARD_2)] == [f"bytes={had}-" if had else None]
    assert not hub.deliveries_of(SHARD_1)
    assert result.status["repaired"] == []


def test_of_a_partial_that_went_bad_only_the_old_bytes_are_fetched_again(
    hub: Hub, model_init: ModelInit
) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000)]
    assert model_init.run(MODEL_RETRIES="0").code == 13
    partial = next(p for p in model_init.partials() if p.name.startswith(SHARD_1))
    damage(partial, 1000)

    result = model_init.run()
    assert result.code == 0, result.log
    assert (model_init.folder / SHARD_1).read_bytes() == tiny_model()[SHARD_1]
    ranges = [request.range for request in hub.deliveries_of(SHARD_1)]
    assert ranges == [None, "bytes=400000-", "bytes=0-399999"]


def test_sigterm_tells_the_truth_and_the_next_start_continues(hub: Hub, model_init: ModelInit) -> None:
    process = model_init.start()

    def stop(name: str, at: int) -> None:
        if name == SHARD_2 and at >= 500_000 and process.poll() is None:
            wait_until(lambda: model_init.partial_size(SHARD_2) >= at, f"{at} bytes are on disk")
            process.terminate()
            process.wait()

    hub.before_block = stop
    stopped = model_init.finish(process)
    had = model_init.partial_size(SHARD_2)
    assert stopped.code == 143
    assert "stopped by SIGTERM before the model was complete" in stopped.log
    assert "Traceback" not in stopped.log
    assert stopped.status["stage"] == "failed"
    assert "start again to continue" in stopped.status["message"]
    assert stopped.manifest is None

    hub.before_block = lambda name, at: None
    assert model_init.run().code == 0
    assert [request.range for request in hub.deliveries_of(SHARD_2)] == [None, f"bytes={had}-"]
    assert len(hub.deliveries_of(SHARD_1)) == 1


def test_another_revision_is_fetched_and_what_is_equal_is_kept(hub: Hub, model_init: ModelInit) -> None:
    first = model_init.run()
    files = tiny_model()
    files[SHARD_2] = tensors(3, "c.weight", "d.weight")
    del files["merges.txt"]
    repo = hub.add(MODEL_ID, files)
    hub.deliveries.clear()
    unasked = model_init.run()
    assert unasked.manifest == first.manifest

    result = model_init.run(MODEL_REVISION=repo.commit)
    assert result.code == 0, result.log
    assert result.manifest is not None
    assert result.manifest["revision"] == repo.commit
    assert (model_init.folder / SHARD_2).read_bytes() == files[SHARD_2]
    assert [request.path.rsplit("/", 1)[1] for request in hub.deliveries] == [SHARD_2]
    assert not (model_init.folder / "merges.txt").exists()
    assert not model_init.quarantine.exists()
    assert result.status["repaired"] == []


def test_an_unreachable_new_revision_leaves_the_old_model_complete(model_init: ModelInit) -> None:
    first = model_init.run()
    failed = model_init.run(MODEL_REVISION="v2", HF_ENDPOINT=NO_HUB)

    assert failed.code == 13
    assert failed.manifest == first.manifest
    assert model_init.run(HF_ENDPOINT=NO_HUB).code == 0


def test_a_revision_that_fails_half_way_leaves_the_old_model(hub: Hub, model_init: ModelInit) -> None:
    first = model_init.run()
    repo = hub.add(MODEL_ID, tiny_model() | {SHARD_2: tensors(3, "c.weight", "d.weight")})
    repo.faults[SHARD_2] = [Fault(wrong_byte=5, always=True)]
    failed = model_init.run(MODEL_REVISION=repo.commit)

    assert failed.code == 14
    assert failed.manifest == first.manifest
    assert (model_init.folder / SHARD_2).read_bytes() == tiny_model()[SHARD_2]
    assert model_init.run(HF_ENDPOINT=NO_HUB).code == 0


def test_a_second_model_init_waits_for_the_first(hub: Hub, model_init: ModelInit) -> None:
    with (model_init.volume / ".model-init.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        process = model_init.start()
        assert process.stderr is not None
        assert "waiting for it" in process.stderr.readline()
        assert not hub.requests
        assert not (model_init.volume / "status.json").exists()
    assert model_init.finish(process).code == 0


def test_too_little_space_is_said_before_anything_is_fetched(hub: Hub, model_init: ModelInit) -> None:
    small = "import shutil; shutil.disk_usage = lambda path: shutil._ntuple_diskusage(9000, 4000, 5000)"
    result = model_init.run(prelude=small)

    assert result.code == 10
    assert result.status["error"]["code"] == "no_disk_space"
    assert "found 5.00 kB; free some space" in result.log
    assert not hub.deliveries


def test_a_disk_that_fills_up_on_the_way_keeps_what_is_there(hub: Hub, model_init: ModelInit) -> None:
    result = model_init.run(prelude=FILLING_DISK)
    assert result.code == 10
    assert "found it full" in result.log
    assert result.status["error"]["code"] == "no_disk_space"

    hub.deliveries.clear()
    assert model_init.run().code == 0
    assert not hub.deliveries_of(SHARD_1)
    assert hub.deliveries_of(SHARD_2)[0].range is not None
