"""The client of the Docker engine (docker-py), for whoever asks what runs or which images there are.

What it raises is caught where the work goes on without an answer; else cli/run.py has it told by `refused`.
"""

import os

import docker
import requests
from docker import DockerClient
from docker.errors import DockerException, ImageNotFound
from urllib3.exceptions import HTTPError

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.process import ask

FAILURES = (DockerException, requests.RequestException, HTTPError)
"""Whatever a call of the client may raise: Docker's refusals, and the connection's failures."""


def connect(timeout: int = 20) -> tuple[DockerClient | None, str | None]:
    """A client of the Docker engine that the docker command talks to, or why there is none.

    ``timeout``: seconds that it may be silent, now and in later calls of the client.
    """
    try:
        client = docker.from_env(timeout=timeout, environment={**os.environ, "DOCKER_HOST": _endpoint()})
        client.ping()
    except FAILURES as error:
        return None, _reason(error)
    return client, None


def _endpoint() -> str:
    """Its address: DOCKER_HOST, else the docker command's context, which docker-py does not read."""
    context = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    return os.environ.get("DOCKER_HOST") or ask(context).out.strip()


def _reason(error: Exception) -> str:
    text = words(error)
    if "Permission denied" in text:
        return "permission denied on Docker's socket"
    if "No such file" in text or "Connection refused" in text:
        return "nothing listens on Docker's socket"
    return text[:200]


def words(error: Exception) -> str:
    """The first line of what Docker says is wrong, without the address that was asked."""
    text = str(getattr(error, "explanation", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def refused(error: Exception) -> StepFailed:
    """One of FAILURES in the operator's terms."""
    return StepFailed(
        "Docker did not do what it was asked",
        expected="the Docker engine to answer",
        found=words(error),
        remedy="put right what it says (a name in .env, its disk, its service), then run this again",
    )


def docker_client(timeout: int = 60) -> DockerClient:
    """A client of the Docker engine, as `connect` makes it; StepFailed when it does not answer."""
    client, error = connect(timeout)
    if client is None:
        raise StepFailed(
            "The Docker engine does not answer",
            expected="an answer",
            found=str(error),
            remedy="see what it says (docker info); ./scripts/appliance up starts it where it is stopped",
        )
    return client


def has_image(client: DockerClient, name: str) -> bool:
    """Whether Docker holds this image (a name with a tag or a digest)."""
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True
