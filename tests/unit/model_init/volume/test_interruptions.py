"""Downloads that break off in every way: nothing good is fetched twice, nothing bad is ever published."""

from __future__ import annotations

import random
import signal
import threading

import pytest

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.model_init_run import FILLING_DISK, MODEL_ID, SHARD_1, SHARD_2, WANTED, ModelInit, tiny_model
from harness.waiting import wait_until

FOUR_AT_A_TIME = {"PARALLEL_FILES": "4"}


def assert_whole(model_init: ModelInit) -> None:
    """Every file of the model is there and right."""
    model = tiny_model()
    assert {name: (model_init.folder / name).read_bytes() == model[name] for name in WANTED} == dict.fromkeys(
        WANTED, True
    )


@pytest.mark.parametrize("seed", range(12))
def test_kill_9_at_random_bytes_always_ends_in_a_verified_model(
    hub: Hub, model_init: ModelInit, seed: int
) -> None:
    chance = random.Random(seed)
    victim, at = chance.choice([SHARD_1, SHARD_2]), chance.randrange(1_048_000)
    process = model_init.start(**FOUR_AT_A_TIME)

    def kill(name: str, position: int) -> None:
        if name == victim and position + 65_536 > at and process.poll() is None:
            wait_until(lambda: model_init.partial_size(victim) >= position, "the bytes before are on disk")
            process.send_signal(signal.SIGKILL)

    hub.before_block = kill
    assert model_init.finish(process).code == -signal.SIGKILL
    assert model_init.weights() == []
    hub.before_block = lambda name, position: None
    if chance.random() < 0.3:
        # a power cut may leave a part of the last bytes as zeros
        partial = next(iter(model_init.folder.glob(f"{victim}.*.partial")), None)
        if partial and partial.stat().st_size:
            with partial.open("r+b") as stream:
                stream.seek(-min(4096, partial.stat().st_size), 2)
                stream.write(bytes(min(4096, partial.stat().st_size)))
    before = {p.name: p.stat().st_size for p in model_init.partials() if ".safetensors" in p.name}
    result = model_init.run(**FOUR_AT_A_TIME)

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert_whole(model_init)
    ranges = [r.range for r in hub.deliveries_of(victim)][1:2]
    had = sum(size for name, size in before.items() if name.startswith(victim))
    assert ranges == [f"bytes={had}-" if had else None]


def test_four_files_arrive_at_the_same_time(hub: Hub, model_init: ModelInit) -> None:
    together = threading.Barrier(2, timeout=60)

    def meet(name: str, position: int) -> None:
        if name in (SHARD_1, SHARD_2) and position == 0:
            together.wait()

    hub.before_block = meet
    result = model_init.run(**FOUR_AT_A_TIME)

    assert result.code == 0, result.log
    assert_whole(model_init)


def test_the_others_come_in_when_one_of_several_stays_corrupt(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults["config.json"] = [Fault(wrong_byte=1, always=True)]
    assert model_init.run(**FOUR_AT_A_TIME).code == 14
    hub.deliveries.clear()
    hub.repos[MODEL_ID].faults.clear()

    assert model_init.run(**FOUR_AT_A_TIME).code == 0
    assert hub.names() == ["config.json"]


def test_a_stalled_source_is_asked_again_from_where_it_stopped(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(stall_at=300_000)]
    result = model_init.run(STALL_SECONDS="0.3")

    assert result.code == 0, result.log
    assert "nothing, or next to nothing, came for 0.3 s" in result.log
    assert [request.range for request in hub.deliveries_of(SHARD_1)] == [None, "bytes=300000-"]


@pytest.mark.parametrize(
    "first",
    [[Fault(wrong_byte=100)], [Fault(cut_at=900_000), Fault(ignore_range=True, cut_at=100_000)]],
    ids=["after wrong bytes", "after a start over"],
)
def test_tries_count_in_a_row_without_a_byte_whatever_came_before(
    hub: Hub, model_init: ModelInit, first: list[Fault]
) -> None:
    cuts = [Fault(cut_at=at) for at in (200_000, 400_000, 600_000, 800_000)]
    hub.repos[MODEL_ID].faults[SHARD_1] = [*first, *cuts]
    result = model_init.run(MODEL_RETRIES="2")

    assert result.code == 0, result.log
    assert_whole(model_init)


def test_a_source_without_ranges_that_never_gets_further_is_given_up(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(ignore_range=True, cut_at=400_000, always=True)]
    result = model_init.run(MODEL_RETRIES="2")

    assert result.code == 13
    assert len(hub.deliveries_of(SHARD_1)) == 3


def test_a_trickle_is_a_stall(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(trickle_at=1_000_000)]
    result = model_init.run(STALL_SECONDS="0.5")

    assert result.code == 0, result.log
    first, second = [request.range for request in hub.deliveries_of(SHARD_1)]
    assert first is None
    assert second is not None
    assert int(second.removeprefix("bytes=").removesuffix("-")) > 1_000_000


def test_a_slow_link_is_no_fault(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(pause_s=0.05)]
    result = model_init.run(STALL_SECONDS="0.3")

    assert result.code == 0, result.log
    assert len(hub.deliveries_of(SHARD_1)) == 1


def test_retry_after_is_obeyed(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(status=429, headers=(("Retry-After", "1"),))]
    result = model_init.run()

    assert result.code == 0, result.log
    assert "the answer 429; trying again in 1 s" in result.log


def test_an_expired_redirect_is_followed_anew(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=500_000), Fault(status=403)]
    result = model_init.run()

    assert result.code == 0, result.log
    assert "the answer 403 after a redirect, which may have expired" in result.log
    redirects = [r for r in hub.requests if r.path.startswith(f"/{MODEL_ID}/") and r.path.endswith(SHARD_1)]
    assert len(redirects) == 3
    assert hub.sent[SHARD_1] == len(tiny_model()[SHARD_1])


def test_a_tag_that_changes_in_the_middle_means_another_file(hub: Hub, model_init: ModelInit) -> None:
    """If-Range: the source answers 200 with its new file rather than a part of it."""
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000, etag="one"), Fault(etag="two")]
    result = model_init.run()

    assert result.code == 0, result.log
    assert hub.sent[SHARD_1] == 400_000 + len(tiny_model()[SHARD_1])
    assert result.status["repaired"] == []


def test_a_tag_that_is_another_digest_is_refused_without_its_bytes(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults["config.json"] = [Fault(etag="0" * 40)]
    result = model_init.run()

    assert result.code == 0, result.log
    assert f"found {'0' * 40} by the source's word" in result.log
    assert not model_init.quarantine.exists()


@pytest.mark.parametrize("fault", [Fault(truncate_to=100_000), Fault(extra=b"x" * 1000)])
def test_a_wrong_length_is_seen_before_the_bytes(hub: Hub, model_init: ModelInit, fault: Fault) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [fault]
    result = model_init.run()

    assert result.code == 0, result.log
    assert "by the source's word; trying again" in result.log
    assert not model_init.quarantine.exists()


def test_the_bandwidth_limit_holds_for_all_files_together(hub: Hub, model_init: ModelInit) -> None:
    """Real waiting is counted, not real time: what is slept makes up the time that the limit asks for."""
    count = """
import time
slept = []
time.sleep = slept.append
import atexit, model_init.sources.throttle
atexit.register(lambda: print("slept", sum(slept)))
"""
    result = model_init.run(prelude=count, BANDWIDTH_LIMIT="1M", **FOUR_AT_A_TIME)

    assert result.code == 0, result.log
    slept = float(result.out.split("slept ")[1])
    assert slept > 1.0


def test_a_full_disk_that_was_freed(hub: Hub, model_init: ModelInit) -> None:
    assert model_init.run(prelude=FILLING_DISK, **FOUR_AT_A_TIME).code == 10
    had = {name: model_init.partial_size(name) for name in (SHARD_1, SHARD_2)}
    hub.sent.clear()
    result = model_init.run(**FOUR_AT_A_TIME)

    assert result.code == 0, result.log
    assert_whole(model_init)
    for name, size in had.items():
        assert hub.sent[name] == len(tiny_model()[name]) - size
