"""One file from several sources at once: slow ones are no brake, liars are found, a kill costs nothing."""

from __future__ import annotations

import json
import re
import signal

import pytest

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, SHARD_1, WANTED, ModelInit, tiny_model
from harness.waiting import wait_until

GOOD = tiny_model()[SHARD_1]


def slow(hub: Hub, rate: float) -> None:
    """The hub sends the first shard with so many bytes per second."""
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(rate=rate, always=True)]


def test_a_slow_source_is_no_brake(hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit) -> None:
    slow(hub, 20_000)
    slow(mirror, 20_000)
    result = all_three.run()

    assert result.code == 0, result.log
    assert hub.sent[SHARD_1] + mirror.sent[SHARD_1] < 200_000 < scope.sent[SHARD_1]
    assert re.search(
        rf"{SHARD_1}: \d\d\.\d kB/s from hub; taking parts of it from hf-mirror, too "
        r"\(MODEL_SOURCES chooses who is asked\)",
        result.log,
    )
    fetched = f"fetched {SHARD_1}: 1.05 MB, sha256 {sha256(GOOD)}, from "
    assert re.search(rf"{fetched}modelscope \([\d.]+ [kM]B\), .*hub \([\d.]+ kB\)", result.log), result.log


def test_several_slow_sources_carry_together(hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit) -> None:
    for place in (hub, mirror, scope):
        slow(place, 100_000)
    result = all_three.run("--json", prelude="import model_init.report.console as c; c.PLAIN_INTERVAL_S = 0")

    assert result.code == 0, result.out
    # nobody brings what another brings
    assert hub.sent[SHARD_1] + mirror.sent[SHARD_1] + scope.sent[SHARD_1] < 1.5 * len(GOOD)
    assert min(place.sent[SHARD_1] for place in (hub, mirror, scope)) > len(GOOD) // 5
    progress = [json.loads(line) for line in result.out.splitlines()]
    together = [line for line in progress if len(line.get("sources", {})) == 3]
    assert set(together[-1]["sources"]) == {"hub", "hf-mirror", "modelscope"}
    assert re.search(r"\(\S+ [\d.]+ kB/s, \S+ [\d.]+ kB/s, \S+ [\d.]+ kB/s\)$", together[-1]["message"])
    assert (all_three.folder / SHARD_1).read_bytes() == GOOD


@pytest.mark.parametrize("at", [300_000, 600_000])
def test_kill_9_with_several_sources_at_work_costs_nothing(
    hub: Hub, mirror: Hub, all_three: ModelInit, at: int
) -> None:
    for place in (hub, mirror):
        slow(place, 150_000)
    process = all_three.start(MODEL_SOURCES="hub,hf-mirror")
    wait_until(
        lambda: hub.sent[SHARD_1] + mirror.sent[SHARD_1] >= at and mirror.sent[SHARD_1] > 0, "enough is sent"
    )
    process.send_signal(signal.SIGKILL)
    assert all_three.finish(process).code == -signal.SIGKILL
    sent = hub.sent[SHARD_1] + mirror.sent[SHARD_1]
    for place in (hub, mirror):
        place.repos[MODEL_ID].faults.clear()
        place.sent.clear()
    result = all_three.run(MODEL_SOURCES="hub,hf-mirror")

    assert result.code == 0, result.log
    assert (all_three.folder / SHARD_1).read_bytes() == GOOD
    assert result.status["repaired"] == []
    # what was on its way when it was killed, and no more, comes again
    assert hub.sent[SHARD_1] + mirror.sent[SHARD_1] <= len(GOOD) - sent + 2 * 65_536


def test_a_liar_among_several_is_found_and_left_out(
    hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit
) -> None:
    slow(hub, 300_000)
    mirror.repos[MODEL_ID].faults[SHARD_1] = [Fault(rate=300_000, wrong_byte=1_000_000, always=True)]
    result = all_three.run(MODEL_SOURCES="hub,hf-mirror")

    assert result.code == 0, result.log
    assert (all_three.folder / SHARD_1).read_bytes() == GOOD
    assert f"{SHARD_1}: its parts, from hf-mirror, hub, make a wrong whole; taking from " in result.log
    lie = re.search(
        rf"{mirror.endpoint} gave wrong bytes, from byte (\d+) of {SHARD_1} on; others are asked instead",
        result.log,
    )
    asked_mirror_alone = f"corrupt download: {SHARD_1} from hf-mirror: " in result.log
    assert lie or asked_mirror_alone, result.log
    if lie:
        assert int(lie[1]) <= 1_000_000


def test_a_source_that_dies_is_taken_over_in_the_middle(hub: Hub, mirror: Hub, all_three: ModelInit) -> None:
    slow(hub, 200_000)
    mirror.repos[MODEL_ID].faults[SHARD_1] = [Fault(rate=200_000, stall_at=700_000, always=True)]
    result = all_three.run(MODEL_SOURCES="hub,hf-mirror", STALL_SECONDS="1")

    assert result.code == 0, result.log
    assert (all_three.folder / SHARD_1).read_bytes() == GOOD


def test_a_source_without_ranges_is_of_use_only_alone(hub: Hub, mirror: Hub, all_three: ModelInit) -> None:
    slow(hub, 300_000)
    mirror.repos[MODEL_ID].faults[SHARD_1] = [Fault(ignore_range=True, always=True)]
    result = all_three.run(MODEL_SOURCES="hub,hf-mirror")

    assert result.code == 0, result.log
    assert hub.sent[SHARD_1] < len(GOOD) + 100_000
    assert re.search(
        rf"{mirror.endpoint}: {SHARD_1}: asked for byte \d+, was given byte 0; going on with {hub.endpoint}",
        result.log,
    )


@pytest.mark.parametrize(
    "fault",
    [
        Fault(ignore_range=True, always=True),
        Fault(status=416, always=True),
        Fault(status=416, headers=(("Content-Range", "bytes */38"),), always=True),
        Fault(status=200, page=True, unsized=True, always=True),
    ],
    ids=["no parts", "416", "416 of a shorter file", "a page"],
)
def test_what_is_there_is_not_given_up_while_another_source_may_go_on(
    hub: Hub, mirror: Hub, all_three: ModelInit, fault: Fault
) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000)]
    mirror.repos[MODEL_ID].faults[SHARD_1] = [fault]
    result = all_three.run(MODEL_SOURCES="hub,hf-mirror")

    assert result.code == 0, result.log
    assert [request.range for request in hub.deliveries_of(SHARD_1)] == [None, "bytes=400000-"]
    assert mirror.sent[SHARD_1] == 0 or fault.ignore_range
    assert result.status["repaired"] == []


def test_without_hope_for_the_others_a_source_without_ranges_starts_over(
    hub: Hub, mirror: Hub, all_three: ModelInit
) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000), Fault(status=503, always=True)]
    mirror.repos[MODEL_ID].faults[SHARD_1] = [Fault(ignore_range=True, always=True)]
    no_rest = "from model_init.sources import course; course.REST_S = 0"
    result = all_three.run(prelude=no_rest, MODEL_SOURCES="hub,hf-mirror", MODEL_RETRIES="")

    assert result.code == 0, result.log
    assert (all_three.folder / SHARD_1).read_bytes() == GOOD


def test_where_nobody_has_parts_one_starts_over(hub: Hub, mirror: Hub, all_three: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000), Fault(ignore_range=True, always=True)]
    mirror.repos[MODEL_ID].faults[SHARD_1] = [Fault(ignore_range=True, always=True)]
    result = all_three.run(MODEL_SOURCES="hub,hf-mirror", MODEL_RETRIES="")

    assert result.code == 0, result.log
    assert (all_three.folder / SHARD_1).read_bytes() == GOOD


def test_under_a_limit_several_sources_share_it(
    hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit
) -> None:
    """The limit is the job's: what is slept makes up the time that it asks for, however many bring bytes."""
    count = """
import atexit, time
began = time.monotonic()
atexit.register(lambda: print("took", time.monotonic() - began))
"""
    result = all_three.run(prelude=count, BANDWIDTH_LIMIT="500k", PARALLEL_FILES="4")

    assert result.code == 0, result.log
    total = sum(len(tiny_model()[name]) for name in WANTED)
    assert float(result.out.split("took ")[1]) > (total - 300_000) / 500_000
