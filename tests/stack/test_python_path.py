"""The order of docker-compose.yml's PYTHONPATH, in a container with a stand-in package of the same name."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
from collections.abc import Iterator

import docker
import pytest
import yaml

from appliance_cli.config import dotenv_file
from harness.stack import REPO

SEEN = "import bitsandbytes; print(bitsandbytes.WHOSE)"
DOCKERFILE = """
FROM {base}
RUN python3 -c "import sysconfig; print(sysconfig.get_paths()['purelib'])" >/where && \\
    mkdir -p "$(cat /where)/bitsandbytes" && \\
    echo "WHOSE = 'the image'" >"$(cat /where)/bitsandbytes/__init__.py"
"""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The Python base image with a stand-in for the image's own bitsandbytes."""
    base = dotenv_file.read(REPO / ".env").get("PYTHON_BASE", "python:3.13-slim")
    name = f"appliance-test-{secrets.token_hex(3)}"
    text = DOCKERFILE.format(base=base)
    docker.from_env().images.build(fileobj=io.BytesIO(text.encode()), tag=name, rm=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rmi", "-f", name], check=True, capture_output=True)


@pytest.fixture
def volume() -> Iterator[str]:
    """An empty models volume."""
    name = f"appliance-test-{secrets.token_hex(3)}"
    subprocess.run(["docker", "volume", "create", name], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "volume", "rm", name], check=True, capture_output=True)


def python_path(switch: str) -> str:
    """As Compose fills it in."""
    compose = yaml.safe_load((REPO / "docker-compose.yml").read_text())
    return str(compose["services"]["tgi"]["environment"]["PYTHONPATH"]).replace("${FAST_NF4:-1}", switch)


def whose(image: str, volume: str, switch: str = "1") -> str:
    """Which package the engine's Python finds, with the volume read-only as tgi has it."""
    command = ["docker", "run", "--rm", "--network", "none", "-w", "/models", "-v", f"{volume}:/models:ro"]
    command += ["-e", f"PYTHONPATH={python_path(switch)}", "--entrypoint", "python3", image, "-c", SEEN]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout.strip()


def test_the_volumes_package_shadows_the_images_and_may_be_missing(image: str, volume: str) -> None:
    assert whose(image, volume) == "the image"
    folder = f"{python_path('1')}/bitsandbytes"
    script = f"mkdir -p {folder} && echo \"WHOSE = 'the volume'\" > {folder}/__init__.py"
    write = ["docker", "run", "--rm", "-v", f"{volume}:/models", "--entrypoint", "sh", image, "-c", script]
    subprocess.run(write, check=True, capture_output=True)
    assert whose(image, volume) == "the volume"
    assert whose(image, volume, "0") == "the image"
