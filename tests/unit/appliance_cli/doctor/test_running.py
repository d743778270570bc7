"""Containers, the model's stage and the cards inside, each spoiled in one way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance_cli.base.process import Answer
from appliance_cli.compose.containers import Container
from appliance_cli.doctor import running
from appliance_cli.doctor.troubles import TROUBLES
from appliance_cli.gpu.cards_here import Gpu, Process
from appliance_cli.gpu.planning import MIB
from appliance_cli.host.finding import Finding
from appliance_cli.stack.stranded import stopped, stranded

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
EARLIER = "2026-11-27T10:00:00.123456789Z"


def container(service: str, **changes: Any) -> Container:
    fine = Container(f"id-{service}", f"p-{service}-1", service, "image", "running", "healthy", 0, 0, EARLIER)
    return replace(fine, created_at=EARLIER, policy="always", **changes)


INIT = container("model-init", state="exited", health="")
GOOD = (INIT, container("tgi"), container("ui"), container("nginx"))


def wrong(findings: list[Finding]) -> list[tuple[str, str]]:
    assert {finding.check for finding in findings} <= set(TROUBLES)
    return [(finding.level, finding.check) for finding in findings if finding.level != "ok"]


def test_a_good_appliance_has_nothing_to_say() -> None:
    assert wrong(running.containers(GOOD, NOW)) == []
    assert running.containers((), NOW)[0].level == "ok"


@pytest.mark.parametrize(
    ("spoiled", "level", "check"),
    [
        (container("tgi", state="created", health=""), "fail", "containers"),
        (container("ui", state="exited", exit_code=137), "fail", "containers"),
        (container("ui", state="exited", exit_code=0), "warn", "containers"),
        (container("tgi", state="restarting", restarts=3), "fail", "restarting"),
        (container("ui", health="unhealthy", check_words=("no answer",)), "fail", "unhealthy"),
        (container("tgi", short_of_memory=True), "fail", "killed-for-memory"),
        (container("model-init", state="exited", exit_code=137), "fail", "containers"),
    ],
)
def test_each_fault_of_a_container_is_named(spoiled: Container, level: str, check: str) -> None:
    seen = tuple(spoiled if each.service == spoiled.service else each for each in GOOD)
    assert (level, check) in wrong(running.containers(seen, NOW))


def test_what_was_ended_by_force_is_told_so_with_how_it_stays_stopped() -> None:
    killed = container("ui", state="exited", exit_code=137)
    finding = running.containers((killed, container("nginx")), NOW)[0]
    assert "by force" in finding.found and "docker stop -t 60 p-ui-1" in finding.remedy


def test_a_start_that_goes_on_is_no_stranding() -> None:
    fresh = container("tgi", state="created")
    fresh = replace(fresh, created_at=(NOW - timedelta(seconds=5)).isoformat())
    assert stranded((fresh, container("nginx")), NOW) == []


def test_an_appliance_that_is_down_is_left_alone() -> None:
    down = tuple(replace(each, state="exited", exit_code=137) for each in GOOD)
    assert stranded(down, NOW) == []


def test_what_somebody_stopped_and_what_model_init_told_is_not_started() -> None:
    asked = container("ui", state="exited", exit_code=0)
    refused = replace(INIT, exit_code=12)
    assert stranded((asked, refused, container("nginx")), NOW) == []
    assert stopped((asked, INIT)) == [asked]


def status(stage: str, state: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "model": {"stage": stage, "model_id": "a/b", "updated_at": 0, **more}}


def test_an_incomplete_model_is_named_with_its_reason() -> None:
    failed = status("failed", "failed", error={"message": "gated model: a/b"})
    (finding,) = running.model(failed, GOOD, NOW)
    assert (finding.level, finding.check) == ("fail", "model-incomplete")
    assert "gated model: a/b" in finding.found
    at_work = (replace(INIT, state="running"), *GOOD[1:])
    assert wrong(running.model(status("downloading", "downloading"), at_work, NOW)) == [
        ("warn", "model-incomplete")
    ]
    assert wrong(running.model(status("ready", "ready"), GOOD, NOW)) == []


@pytest.mark.parametrize(("minutes", "level"), [(5, "warn"), (40, "fail")])
def test_a_load_that_does_not_end_is_wrong_after_half_an_hour(minutes: int, level: str) -> None:
    began = (NOW - timedelta(minutes=minutes)).isoformat()
    seen = (INIT, container("tgi", started_at=began), *GOOD[2:])
    assert wrong(running.model(status("ready", "loading"), seen, NOW)) == [(level, "loading-long")]


def test_a_load_begins_when_the_model_is_there_not_when_the_engine_began_to_wait() -> None:
    written = (NOW - timedelta(minutes=3)).timestamp()
    seen = (INIT, container("tgi"), *GOOD[2:])
    loading = status("ready", "loading", updated_at=written)
    assert wrong(running.model(loading, seen, NOW)) == [("warn", "loading-long")]


LOST = Answer(255, "Failed to initialize NVML: Unknown Error\n", "")
HAS = Answer(0, "GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-4a)\n", "")


def test_a_card_that_was_lost_is_told_from_one_that_is_away() -> None:
    (finding,) = running.cards_inside({"p-tgi-1": LOST}, host_sees=True)
    assert (finding.level, finding.check) == ("fail", "gpu-lost")
    assert "heal" in finding.remedy
    assert running.cards_inside({"p-tgi-1": LOST}, host_sees=False) == []
    assert wrong(running.cards_inside({"p-tgi-1": HAS}, host_sees=True)) == []


def card(index: int, *processes: Process) -> Gpu:
    return Gpu(index, f"GPU-{index}", "NVIDIA GeForce RTX 4090", 24564 * MIB, 0, 0, (8, 9), processes)


def test_the_card_that_runs_is_compared_with_the_one_that_is_named() -> None:
    engine = container("tgi", cards=("GPU-1",))
    cards = [card(0), card(1)]
    assert wrong(running.cards([engine], cards, "GPU-0", frozenset())) == [("fail", "gpu-other-card")]
    assert running.cards([engine], cards, "1", frozenset()) == []


def test_who_else_holds_the_cards_memory_is_named() -> None:
    engine = container("tgi", cards=("0",))
    ours, other = Process(10, "python3.11", 15_000 * MIB), Process(11, "blender", 3_000 * MIB)
    own = frozenset({10})
    (finding,) = running.cards([engine], [card(0, ours, other)], "0", own)
    assert (finding.check, finding.found) == ("gpu-shared", "3000 MiB of card 0 are held by blender (pid 11)")
    assert "TARGET_VRAM=21" in finding.remedy
    assert running.cards([engine], [card(0, ours)], "0", own) == []


def test_another_python_program_on_the_card_is_not_the_engine_s() -> None:
    engine = container("tgi", cards=("0",))
    ours, other = Process(10, "python3.11", 1_000 * MIB), Process(11, "python3", 24_000 * MIB)
    (finding,) = running.cards([engine], [card(0, ours, other)], "0", frozenset({10}))
    assert finding.found == "24000 MiB of card 0 are held by python3 (pid 11)"
    assert "TARGET_VRAM=1 in .env" in finding.remedy
