"""The whole appliance is carried to a machine that never had a network: an engine and a clone of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.private_docker import PrivateDocker
from harness.stack import REPO, Stack
from suite.checks import tracked


@pytest.fixture(scope="module")
def folder(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `images save` wrote of the running appliance."""
    target = tmp_path_factory.mktemp("carried") / "set"
    saved = stack.appliance("images", "save", str(target))
    assert saved.returncode == 0, saved.stderr
    return target


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as a new machine has it: without .env, without virtual environments."""
    root = tmp_path_factory.mktemp("machine") / "appliance"
    for name in tracked():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPO / name, root / name)
    return root


@pytest.fixture(scope="module")
def bare_docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateDocker]:
    """An engine without an image, in a network that has only a loopback."""
    with PrivateDocker(tmp_path_factory.mktemp("carried-docker")) as docker:
        yield docker


def there(docker: PrivateDocker, clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the appliance's on that machine."""
    command = docker.inside(str(clone / "scripts/appliance"), *arguments)
    env = {**os.environ, "DOCKER_HOST": docker.socket}
    return subprocess.run(command, env=env, cwd=clone, capture_output=True, text=True, check=False)


def test_it_answers_where_there_was_never_a_network(
    folder: Path, clone: Path, bare_docker: PrivateDocker
) -> None:
    routes = subprocess.run(
        bare_docker.inside("ip", "route", "show", "default"), capture_output=True, text=True
    )
    assert (routes.returncode, routes.stdout) == (0, "")
    assert bare_docker.client.images.list() == []

    loaded = there(bare_docker, clone, "images", "load", str(folder), "--yes")
    assert loaded.returncode == 0, loaded.stderr
    assert "OFFLINE=1" in (clone / ".env").read_text()

    started = there(bare_docker, clone, "up", "--yes", "--replicas", "1")
    try:
        assert started.returncode == 0, started.stderr
        assert "nothing is fetched or built" in started.stderr
        status = there(bare_docker, clone, "status", "--json")
        assert json.loads(status.stdout)["state"] == "ready"
    finally:
        there(bare_docker, clone, "down", "--yes")


def test_a_set_in_which_one_byte_differs_is_refused(
    folder: Path, clone: Path, bare_docker: PrivateDocker
) -> None:
    with (folder / "images.tar").open("r+b") as file:
        file.seek(10_000_000)
        byte = file.read(1)[0]
        file.seek(10_000_000)
        file.write(bytes([byte ^ 1]))
    refused = there(bare_docker, clone, "images", "load", str(folder), "--yes")
    assert refused.returncode == 4
    assert "images.tar: another SHA-256" in refused.stderr
