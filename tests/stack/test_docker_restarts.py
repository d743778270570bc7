"""Docker itself is killed and started again, in each stage of a first start: the appliance heals."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException
from docker.models.containers import Container
from requests import RequestException

from harness.private_docker import PrivateDocker
from harness.stack import REPO, Stack
from harness.volume import GGUF, MODEL
from harness.waiting import wait_until

PROJECT = "first-start"
IMAGES = tuple(f"qwen-appliance/{name}:local" for name in ("model-init", "cpu-engine"))
HUB_PORT = 8000


class FirstStart:
    """Model-init and the engine on a Docker engine of their own, which fetch the model from a hub there."""

    def __init__(self, docker: PrivateDocker, folder: Path) -> None:
        self.docker = docker
        self._env_file = folder / "first.env"
        self._models = folder / "docker/data/volumes" / f"{PROJECT}_models" / "_data"
        settings = {
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILE": f"{REPO}/docker-compose.yml:{REPO}/compose.cpu.yml",
            "HF_ENDPOINT": f"http://host.docker.internal:{HUB_PORT}",
            "MODEL_SOURCES": "hub",
            "MODEL_SOURCE": "hub",
            "BANDWIDTH_LIMIT": "20MB",
        }
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def compose(self, *arguments: str) -> None:
        command = ["docker", "--host", self.docker.socket, "compose", "--env-file", str(self._env_file)]
        done = subprocess.run([*command, *arguments], cwd=REPO, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def container(self, service: str) -> Container:
        label = f"com.docker.compose.service={service}"
        (only,) = self.docker.client.containers.list(all=True, filters={"label": label})
        return only

    def status(self) -> dict[str, Any]:
        """What model-init says, read without asking Docker."""
        try:
            return dict(json.loads((self._models / "status.json").read_text()))
        except (OSError, ValueError):
            return {}

    def is_at(self, stage: str) -> bool:
        seen = self.status()
        return seen.get("stage") == stage and (stage != "downloading" or seen["bytes_done"] > 10_000_000)

    def serves(self) -> bool:
        """False, too, while there is no Docker engine that could be asked."""
        try:
            return bool(self.container("tgi").attrs["State"]["Health"]["Status"] == "healthy")
        except (DockerException, RequestException, KeyError, ValueError):
            return False

    def told(self) -> str:
        words = [self.container(service).logs(tail=20).decode() for service in ("model-init", "tgi")]
        states = [self.container(service).attrs["State"] for service in ("model-init", "tgi")]
        return f"{states}\n" + "\n".join(words) + str(self.status())


@pytest.fixture(scope="module")
def private(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrivateDocker, Path]]:
    """A Docker engine to kill, with the stack's images and a hub that has its model."""
    folder = tmp_path_factory.mktemp("private")
    model = folder / "model"
    model.mkdir()
    (model / Path(GGUF).name).write_bytes(_model_of(stack))
    (folder / "docker").mkdir()
    with PrivateDocker(folder / "docker") as docker:
        docker.take(*IMAGES)
        hub = ["-m", "harness.hub", "--folder", str(model), "--id", MODEL, "--bind", "0.0.0.0"]
        docker.run_beside(
            [sys.executable, *hub, "--port", str(HUB_PORT)], {"PYTHONPATH": str(REPO / "tests")}
        )
        yield docker, folder


@pytest.fixture
def first_start(private: tuple[PrivateDocker, Path]) -> Iterator[FirstStart]:
    start = FirstStart(*private)
    start.compose("up", "--detach", "--no-build", "model-init", "tgi")
    yield start
    start.compose("down", "--volumes", "--timeout", "2")


def _model_of(stack: Stack) -> bytes:
    archive, _ = stack.container("tgi").get_archive(GGUF)
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        assert file is not None
        return file.read()


def test_a_docker_killed_in_the_first_download_leaves_nothing_to_do(first_start: FirstStart) -> None:
    _killed_at(first_start, lambda: first_start.is_at("downloading"))


@pytest.mark.long
@pytest.mark.parametrize("stage", ["starting", "verifying", "loading", "ready"])
def test_a_docker_killed_in_another_stage_leaves_nothing_to_do(first_start: FirstStart, stage: str) -> None:
    reached: dict[str, Callable[[], bool]] = {
        "starting": lambda: bool(first_start.status()),
        "verifying": lambda: first_start.is_at("verifying"),
        "loading": lambda: first_start.is_at("ready"),
        "ready": first_start.serves,
    }
    if stage == "verifying":
        wait_until(lambda: first_start.status().get("bytes_done", 0) > 60_000_000, "most of it is there")
        # why: else it is over within milliseconds
        first_start.container("model-init").update(cpu_period=100_000, cpu_quota=5_000)
    _killed_at(first_start, reached[stage])


def _killed_at(first_start: FirstStart, reached: Callable[[], bool]) -> None:
    wait_until(reached, "the stage is reached", poll_s=0.005, detail=first_start.told)
    first_start.docker.kill()
    first_start.docker.start()
    wait_until(
        first_start.serves,
        "the engine serves without anybody's help",
        deadline_s=180,
        detail=first_start.told,
    )
