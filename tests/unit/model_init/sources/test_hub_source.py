"""model-init against a hub, with the real huggingface_hub client: what is fetched, and what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import GatedRepoError

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, SHARD_1, SHARD_2, WANTED, ModelInit, gguf, tiny_model


def test_the_hub_of_the_tests_is_one_to_the_real_client(hub: Hub, tmp_path: Path) -> None:
    path = hf_hub_download(MODEL_ID, SHARD_1, endpoint=hub.endpoint, cache_dir=tmp_path, token=False)

    assert Path(path).read_bytes() == tiny_model()[SHARD_1]
    with pytest.raises(GatedRepoError):
        hub.repos[MODEL_ID].gated = "hf_secret"
        hf_hub_download(MODEL_ID, SHARD_2, endpoint=hub.endpoint, cache_dir=tmp_path, token=False)


def test_a_model_is_fetched_whole_and_only_what_an_engine_needs(hub: Hub, model_init: ModelInit) -> None:
    result = model_init.run()

    assert result.code == 0, result.log
    assert result.manifest is not None
    model = tiny_model()
    for name in WANTED:
        assert (model_init.folder / name).read_bytes() == model[name]
    assert {f["path"]: f["sha256"] for f in result.manifest["files"]} == {n: sha256(model[n]) for n in WANTED}
    assert result.manifest["revision"] == hub.repos[MODEL_ID].commit
    assert result.manifest["format"] == "safetensors"
    assert result.manifest["total_bytes"] == sum(len(model[name]) for name in WANTED)
    assert not (model_init.folder / "pytorch_model.bin").exists()
    assert not hub.deliveries_of("pytorch_model.bin")
    assert (model_init.volume / "out").is_dir()
    assert not model_init.partials()


def test_the_status_of_a_ready_model(model_init: ModelInit) -> None:
    status = model_init.run().status

    total = sum(len(tiny_model()[name]) for name in WANTED)
    assert status["schema"] == 1
    assert status["stage"] == "ready"
    assert (status["bytes_done"], status["bytes_total"]) == (total, total)
    assert (status["files_done"], status["files_total"]) == (len(WANTED), len(WANTED))
    assert (status["model_id"], status["source"], status["error"]) == (MODEL_ID, "hub", None)


def test_files_are_asked_for_by_commit_not_by_branch(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()

    commit = hub.repos[MODEL_ID].commit
    assert hub.deliveries
    assert all(f"/resolve/{commit}/" in request.path for request in hub.deliveries)


def test_no_unproven_file_ever_has_a_name_that_an_engine_opens(hub: Hub, model_init: ModelInit) -> None:
    seen: list[str] = []
    blocks: list[str] = []

    def look(name: str, position: int) -> None:
        blocks.append(name)
        seen.extend(model_init.weights())

    hub.before_block = look
    hub.repos[MODEL_ID].faults[SHARD_2] = [Fault(wrong_byte=700_000), Fault(cut_at=500_000)]
    assert model_init.run().code == 0
    assert len(blocks) > 30
    assert seen == []


def test_progress_is_seen_while_bytes_arrive(hub: Hub, model_init: ModelInit) -> None:
    stages: list[tuple[str, str | None]] = []

    def look(name: str, position: int) -> None:
        status = json.loads((model_init.volume / "status.json").read_text())
        stages.append((status["stage"], status["file"]))

    hub.before_block = look
    assert model_init.run().code == 0
    assert set(stages) == {("downloading", name) for name in WANTED}


@pytest.mark.parametrize("name", [SHARD_1, "vocab.json"], ids=["lfs file", "small file"])
def test_a_wrong_byte_is_noticed_quarantined_and_fetched_again_alone(
    hub: Hub, model_init: ModelInit, name: str
) -> None:
    hub.repos[MODEL_ID].faults[name] = [Fault(wrong_byte=3)]
    result = model_init.run()

    good = tiny_model()[name]
    bad = bytes([*good[:3], good[3] ^ 1, *good[4:]])
    assert result.code == 0, result.log
    assert (model_init.folder / name).read_bytes() == good
    assert [p.name for p in model_init.quarantine.iterdir()] == [f"{name}.sha256-{sha256(bad)}"]
    assert result.status["repaired"] == [
        {"path": name, "expected_sha256": sha256(good), "found_sha256": sha256(bad)}
    ]
    assert len(hub.deliveries_of(name)) == 2
    assert len(hub.deliveries) == len(WANTED) + 1
    assert f"corrupt download: {name}" in result.log


def test_a_file_that_is_always_wrong_is_given_up_after_three_tries(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_2] = [Fault(wrong_byte=100, always=True)]
    result = model_init.run()

    assert result.code == 14
    assert result.manifest is None
    assert model_init.weights() == []
    assert len(hub.deliveries_of(SHARD_2)) == 3
    assert result.status["stage"] == "failed"
    assert result.status["error"]["code"] == "corrupt"
    assert f"expected sha256 {sha256(tiny_model()[SHARD_2])}" in result.status["error"]["message"]


def test_after_a_corrupt_file_the_next_start_fetches_only_that_one(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_2] = [Fault(wrong_byte=1)] * 3
    assert model_init.run().code == 14
    hub.deliveries.clear()

    assert model_init.run().code == 0
    assert [request.path.rsplit("/", 1)[1] for request in hub.deliveries] == [SHARD_2]


def test_a_cut_connection_is_resumed_where_it_broke(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000), Fault(cut_at=800_000)]
    result = model_init.run()

    assert result.code == 0, result.log
    ranges = [request.range for request in hub.deliveries_of(SHARD_1)]
    assert ranges == [None, "bytes=400000-", "bytes=800000-"]
    assert hub.sent[SHARD_1] == len(tiny_model()[SHARD_1])
    assert result.status["repaired"] == []


def test_a_whole_answer_to_a_ranged_request_starts_the_file_over(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000), Fault(ignore_range=True)]
    result = model_init.run()

    assert result.code == 0, result.log
    assert result.status["repaired"] == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_asked_again(hub: Hub, model_init: ModelInit, status: int) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(status=status)] * 2
    result = model_init.run()

    assert result.code == 0, result.log
    assert f"the answer {status}; trying again" in result.log


@pytest.mark.parametrize(
    "fault",
    [Fault(status=520), Fault(status=526, page=True), Fault(status=530, page=True), Fault(status=507)],
)
def test_a_cdn_s_own_errors_are_a_busy_hub_s(hub: Hub, model_init: ModelInit, fault: Fault) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [fault] * 2
    result = model_init.run()

    assert result.code == 0, result.log
    assert f"the answer {fault.status}; trying again" in result.log


@pytest.mark.parametrize("status", [501, 505, 511])
def test_what_a_server_will_not_do_later_either_ends_at_once(
    hub: Hub, model_init: ModelInit, status: int
) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(status=status, always=True)]

    assert model_init.run().code == 13
    assert len(hub.deliveries_of(SHARD_1)) == 1


@pytest.mark.parametrize("size", [0, 500_000])
def test_a_file_that_stays_too_short_is_corrupt(hub: Hub, model_init: ModelInit, size: int) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(truncate_to=size, always=True)]
    result = model_init.run()

    assert result.code == 14
    assert f"expected {len(tiny_model()[SHARD_1])} bytes, found" in result.log


def test_a_file_that_is_longer_than_promised_is_corrupt(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(extra=b"more", always=True)]
    result = model_init.run()

    size = len(tiny_model()[SHARD_1])
    assert result.code == 14
    assert f"expected {size} bytes, found {size + 4} by the source's word" in result.log


def test_shards_that_disagree_with_their_index_are_not_published(hub: Hub, model_init: ModelInit) -> None:
    files = tiny_model()
    homes = {name: SHARD_1 for name in ("a.weight", "b.weight", "c.weight", "d.weight")}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": homes}).encode()
    hub.add(MODEL_ID, files)
    result = model_init.run()

    assert result.code == 15
    assert result.status["error"]["code"] == "invalid_model"
    assert f"the index expects 'c.weight' in {SHARD_1}, found it missing there" in result.log
    assert model_init.weights() == []


def test_one_gguf_of_a_repository(hub: Hub, model_init: ModelInit) -> None:
    hub.add(MODEL_ID, {"tiny-q8_0.gguf": gguf("a"), "tiny-q4_k_m.gguf": gguf("b"), "README.md": b"x"})
    result = model_init.run(MODEL_FORMAT="gguf")

    assert result.code == 0, result.log
    assert model_init.weights() == ["tiny-q4_k_m.gguf"]
    assert len(hub.deliveries) == 1
    assert (
        "picked tiny-q4_k_m.gguf, the usual one of 2 quantisations; MODEL_GGUF_FILE names another\n"
        in result.log
    )


def test_a_gguf_in_two_parts(hub: Hub, model_init: ModelInit) -> None:
    numbers = {"split.count": 2, "split.tensors.count": 2}
    parts = {
        f"tiny-q4_k_m-0000{number + 1}-of-00002.gguf": gguf(name, numbers={**numbers, "split.no": number})
        for number, name in enumerate("ab")
    }
    hub.add(MODEL_ID, {**parts, "tiny-q8_0.gguf": gguf("a"), "mmproj-f16.gguf": gguf("p")})
    result = model_init.run(MODEL_FORMAT="gguf")

    assert result.code == 0, result.log
    assert model_init.weights() == sorted(parts)


def test_json_lines_for_programs(model_init: ModelInit) -> None:
    result = model_init.run("--json")

    events = [json.loads(line) for line in result.out.splitlines()]
    assert result.log == ""
    assert events[-1]["stage"] == "ready"
    assert all("event" in event for event in events)
