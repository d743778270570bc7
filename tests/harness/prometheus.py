"""The appliance's own `prometheus` service on Debian's build, since the registry of its image may not answer.

Owns the test image (made once a machine), the service's start and removal in a stack, questions to its HTTP
API, and stand-ins for what it scrapes. What those say stands in exposition.py. Knows nothing of dashboards.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import docker
from docker.errors import ImageNotFound, NotFound
from docker.models.containers import Container

from appliance_cli.config import values
from harness.stack import REPO, Stack, running, said_inside
from harness.waiting import wait_until

IMAGE = "qwen-appliance/test-prometheus:local"
PORTS = {"tgi": 3000, "nginx": 8088, "gpu-metrics": 9400}
EXPOSITION = Path(__file__).with_name("exposition.py")

# As prom/prometheus: the same entry point, user, and owner of the data folder. Python is for the stand-ins.
_DOCKERFILE = """
ARG BASE
FROM ${BASE}
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends prometheus \\
    && rm -rf /var/lib/apt/lists/* \\
    && install --directory --owner=65534 --group=65534 /prometheus
USER 65534:65534
ENTRYPOINT ["/bin/prometheus"]
"""
_ASK = (
    "import sys, urllib.request as u; "
    "sys.stdout.write(u.urlopen('http://127.0.0.1:9090/api/v1/' + sys.argv[1]).read().decode())"
)


def ensure_image() -> None:
    """Builds `IMAGE` from Debian's package on the appliance's Python base image, unless it is there.

    Raises:
        AssertionError: with the builder's words, when Debian's mirror does not answer or has no such package.
    """
    with _docker() as client, suppress(ImageNotFound):
        client.images.get(IMAGE)
        return
    base = values.read(REPO / ".env").text("PYTHON_BASE")
    command = ["docker", "build", "--tag", IMAGE, "--build-arg", f"BASE={base}", "-"]
    done = subprocess.run(command, input=_DOCKERFILE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"


def promtool(*arguments: str, tests: Path) -> subprocess.CompletedProcess[str]:
    """Runs promtool with the shipped configuration where the service has it, and `tests` at /tests."""
    mounts = [f"{REPO}/services/monitoring/prometheus:/etc/prometheus:ro", f"{tests}:/tests:ro"]
    volumes = [word for mount in mounts for word in ("--volume", mount)]
    options = ["--rm", "--network=none", *volumes, "--entrypoint=promtool"]
    command = ["docker", "run", *options, IMAGE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Prometheus:
    """The running `prometheus` service of a stack."""

    def __init__(self, container: Container) -> None:
        self.container = container

    def query(self, expression: str, *, at: float) -> list[dict[str, Any]]:
        """The samples of an instant query at a Unix time in seconds."""
        return list(self._ask("query", query=expression, time=at)["result"])

    def query_range(self, expression: str, *, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of a range query; times are Unix seconds, `step` is in seconds."""
        return list(self._ask("query_range", query=expression, start=start, end=end, step=step)["result"])

    def healthy_jobs(self) -> set[str]:
        """The scrape jobs with at least one target whose last scrape succeeded."""
        targets = self._ask("targets", state="active")["activeTargets"]
        return {target["labels"]["job"] for target in targets if target["health"] == "up"}

    def _ask(self, path: str, **parameters: object) -> Any:
        # Inside the container: `backend` has no way in, and the service publishes nothing.
        target = f"{path}?{urlencode(parameters)}"
        answer = json.loads(said_inside(self.container, "python3", "-c", _ASK, target))
        assert answer["status"] == "success", answer
        return answer["data"]


@contextmanager
def started(stack: Stack) -> Iterator[Prometheus]:
    """Starts the service with the profile that operators use, waits for its health check, and removes it."""
    ensure_image()
    profile = ("--profile", "monitoring")
    stack.compose(*profile, "up", "--detach", "--no-deps", "prometheus", env={"PROMETHEUS_IMAGE": IMAGE})
    try:
        container = stack.container("prometheus")
        wait_until(running(container), "prometheus is healthy", detail=lambda: container.logs().decode())
        yield Prometheus(container)
    finally:
        stack.compose(*profile, "rm", "--stop", "--force", "prometheus", check=False)
        # `down --volumes` passes over what belongs to a profile that it was not given.
        with suppress(NotFound):
            stack.docker.volumes.get(f"{stack.project}_prometheus").remove()


@contextmanager
def stand_in(stack: Stack, part: str) -> Iterator[None]:
    """Serves what exposition.py promises for `part`, under that name on the stack's network `backend`."""
    network = f"{stack.project}_backend"
    with _docker() as client:
        container = client.containers.create(
            IMAGE,
            entrypoint=["python3", "/exposition.py", part, str(PORTS[part])],
            network=network,
            networking_config={network: client.api.create_endpoint_config(aliases=[part])},
            volumes=[f"{EXPOSITION}:/exposition.py:ro"],
        )
        try:
            container.start()
            yield
        finally:
            container.remove(force=True)


@contextmanager
def _docker() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()
