"""Two commands at once: the second is told of the first, and what an earlier pair made is mended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, cast

import pytest
from docker import DockerClient

from appliance_cli.base.errors import HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.host.alone import alone
from appliance_cli.stack import lifecycle
from harness.cli_path import PYTHONPATH

Cli = Callable[..., CompletedProcess[str]]
REPO = Path(__file__).resolve().parents[4]
HOLDS = """
import sys
from pathlib import Path
from appliance_cli.config.appliance import load
from appliance_cli.host.alone import alone
with alone(load(Path(sys.argv[1]), Path(sys.argv[1]) / ".env"), "appliance up"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_told_who_is_at_work_and_may_go_on_when_that_has_ended(appliance: Appliance) -> None:
    command = [sys.executable, "-c", HOLDS, str(appliance.root)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": PYTHONPATH}
    ) as first:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        with pytest.raises(HostNotReady) as refusal, alone(appliance, "appliance down"):
            pass
        assert f"appliance up (process {first.pid}, since " in refusal.value.found
        first.kill()
    with alone(appliance, "appliance down"):
        pass


def test_a_benchmark_holds_off_another_one_and_no_change(appliance: Appliance) -> None:
    with alone(appliance, "appliance bench", to_be="measured"):
        with alone(appliance, "appliance up"):
            pass
        with (
            pytest.raises(HostNotReady, match="is being measured by another command") as refusal,
            alone(appliance, "appliance bench", to_be="measured"),
        ):
            pass
    assert refusal.value.found.startswith("appliance bench (process ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_whose_folder_it_is_can_hold_it_after_root_has(appliance: Appliance) -> None:
    appliance.logs.mkdir()
    os.chown(appliance.logs, 12345, 12345)
    with alone(appliance, "appliance heal"):
        pass
    (lock,) = appliance.logs.iterdir()
    assert (lock.stat().st_uid, lock.stat().st_gid) == (12345, 12345)


@pytest.mark.parametrize("words", ["up", "prepare", "down", "scale ui=2", "model use a/b"])
def test_the_commands_that_change_containers_hold_it(words: str, appliance: Appliance, cli: Cli) -> None:
    # cli's own .env has no project of its own, and its root is the repository
    here = load(REPO, appliance.env_file)
    with alone(here, "appliance up"):
        done = cli(*words.split())
    assert done.returncode == 3 and "is being changed by another command" in done.stderr


class Network:
    """As docker-py has it; it knows its containers once it was reloaded."""

    def __init__(self, name: str, members: int) -> None:
        self.name, self._members, self.removed, self.containers = name, members, False, list[int]()

    def reload(self) -> None:
        self.containers = list(range(self._members))

    def remove(self) -> None:
        self.removed = True


@pytest.mark.parametrize(
    ("members", "removed"),
    [
        ([0], [False]),
        ([0, 0], [True, False]),
        ([3, 0], [False, True]),
        ([0, 2, 0], [True, False, True]),
        ([1, 2], [False] * 2),
    ],
)
def test_of_networks_of_one_name_one_is_left(members: list[int], removed: list[bool]) -> None:
    networks = [Network("p_backend", count) for count in members]
    other = Network("p_edge", 0)

    class Client:
        class networks:
            @staticmethod
            def list(filters: dict[str, Any]) -> list[Network]:
                assert filters == {"label": "com.docker.compose.project=p"}
                return [other, *networks]

    lifecycle._drop_twin_networks(cast(DockerClient, Client), "p", Output())
    assert [network.removed for network in networks] == removed
    assert not other.removed
