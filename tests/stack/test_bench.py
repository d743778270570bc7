"""`appliance bench` on the real appliance: its counts are the engine's, and nothing of it stays."""

from __future__ import annotations

import json
from pathlib import Path

from harness.stack import Stack

QUICK = ("--prompt", "96", "--answer", "8", "--people", "1", "--seconds", "1", "--json")


def test_counts_are_the_engine_s_and_nothing_is_left(stack: Stack, tmp_path: Path) -> None:
    before = {container.id for container in stack.docker.containers.list(all=True)}
    # with a key the door asks everybody for one: it has to bring its own
    stack.add_key("somebody")
    try:
        first = stack.appliance("bench", *QUICK, "--out", str(tmp_path / "first.json"))
        assert first.returncode == 0, first.stderr
        found = json.loads(first.stdout)
        assert [level["way"] for level in found["levels"]] == ["door", "engine"]
        for level in found["levels"]:
            assert level["errors"] == {} and level["answered"] >= 2
            assert level["prompt_tokens"] == {"least": 96, "most": 96}
            assert 1 <= level["answer_tokens"]["least"] <= level["answer_tokens"]["most"] <= 8
        assert found["requests_of_others"] == 0
        listed = stack.appliance("keys", "list", "--json").stdout
        assert "appliance-bench" not in listed and "somebody" in listed
        again = stack.appliance(
            "bench", *QUICK[:-1], "--way", "door", "--against", str(tmp_path / "first.json")
        )
        assert again.returncode == 0, again.stderr
        assert "Against first.json" in again.stdout and "820 ms" in again.stdout
    finally:
        assert stack.appliance("keys", "revoke", "somebody", "--yes").returncode == 0
    assert {container.id for container in stack.docker.containers.list(all=True)} == before


def test_what_the_engine_would_refuse_is_refused_before_anything_is_asked(stack: Stack) -> None:
    done = stack.appliance("bench", "--prompt", "4000", "--answer", "500")
    assert done.returncode == 2
    assert "4096 tokens together" in done.stderr
