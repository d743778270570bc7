"""A program that is asked and does not answer, also one that the kernel does not let go."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from appliance_cli.base import process
from appliance_cli.base.process import NOT_INSTALLED, TIMED_OUT, Answer, ask


def test_what_a_program_says_and_how_it_ends() -> None:
    assert ask(["sh", "-c", "echo out; echo err >&2; exit 3"]) == Answer(3, "out\n", "err\n")
    assert ask(["no-such-program"]).code == NOT_INSTALLED


@pytest.fixture
def spared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Programs that were to be killed and were not."""
    pids: list[int] = []
    monkeypatch.setattr(subprocess.Popen, "kill", lambda child: pids.append(child.pid))
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_outlives_its_kill_is_not_waited_for(
    spared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "AFTER_KILL_S", 0.1)
    assert ask(["sleep", "20"], timeout=0.1).code == TIMED_OUT
    (pid,) = spared
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it still runs"
