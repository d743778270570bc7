"""The frameworks that people build with, as they come: each gets what its documentation promises."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.stack import REPO, Stack

TESTS = REPO / "tests"
PYTHON = REPO / ".venv/clients/bin/python"  # scripts/lib/prepare_tests makes it
FRAMEWORKS = sorted(path.stem for path in (TESTS / "clients").glob("with_*.py"))
PATIENCE_S = 400
ALONE = {
    "PYTHONPATH": str(TESTS),
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it asks another host for it
    "HF_HUB_OFFLINE": "1",
}

Outcomes = dict[str, str | None]


@pytest.fixture(scope="module")
def outcome(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Outcomes]]:
    """What became of each thing that a framework was asked to do; all of them begin at once."""
    folder: Path = tmp_path_factory.mktemp("clients")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    running = {
        name: subprocess.Popen(
            [PYTHON, "-m", "clients.run", name, f"{stack.url}/v1"],
            cwd=folder,
            env={**clean, **ALONE},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in FRAMEWORKS
    }

    def of(name: str) -> Outcomes:
        said, _ = running[name].communicate(timeout=PATIENCE_S)
        assert running[name].returncode == 0, said
        found: Outcomes = json.loads(said.splitlines()[-1])
        return found

    yield of
    for process in running.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_gets_what_it_asks_for(outcome: Callable[[str], Outcomes], framework: str) -> None:
    found = outcome(framework)
    assert len(found) >= 3
    assert not {name: raised for name, raised in found.items() if raised is not None}
