"""The real appliance under a project name of its own: start, look inside, break, clean up.

Owns one Compose project with its own `.env`, port and volumes. Images are shared with the appliance, since
they are built from the same tree. Knows nothing about what a test asserts.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import docker
import requests
from docker.models.containers import Container

from appliance_cli.host import way_out
from harness.waiting import wait_until

REPO = Path(__file__).resolve().parents[2]


class Stack:
    """One appliance on the CPU engine. A context manager: at its end nothing of it is left.

    Attributes:
        url: the address that nginx publishes, e.g. ``http://127.0.0.1:40001``.
        access: the folder with this appliance's keys, users and certificate.
        project: the Compose project's name, with which its cookies begin.
        session_cookie: the name of the cookie that says who is signed in.
        seat_cookie: the name of the one that says which replica serves the browser.
    """

    def __init__(self, directory: Path, settings: dict[str, str] | None = None) -> None:
        self.project = f"appliance-test-{secrets.token_hex(3)}"
        self.session_cookie = f"{self.project}_session"
        self.seat_cookie = f"{self.project}_ui_route"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env_file = directory / "appliance.env"
        self.access = directory / "access"
        self.access.mkdir(exist_ok=True)
        self.docker = docker.from_env()
        self._write_env(
            {"COMPOSE_PROJECT_NAME": self.project, "HTTP_PORT": str(self.port), **(settings or {})}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Starts the appliance the way a person does and returns when it is ready.

        Raises:
            AssertionError: with the command's output and the containers' logs when it does not become ready.
        """
        done = self.appliance("up", "--yes", "--engine", "cpu")
        assert done.returncode == 0, (
            f"appliance up failed:\n{done.stdout}\n{done.stderr}\n{self.diagnostics()}"
        )

    def down(self) -> None:
        """Removes every container, network and volume of the project, whatever state they are in."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)
        way_out.open_again(self.project)
        self.docker.close()

    def appliance(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(REPO / "scripts/appliance"), "--env-file", str(self.env_file), *arguments]
        return subprocess.run(command, capture_output=True, text=True, input=stdin, check=False)

    def add_key(self, name: str, *options: str) -> str:
        """Makes an API key and returns it; nginx knows it within about a second."""
        done = self.appliance("keys", "add", name, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def add_user(self, name: str, password: str, *options: str) -> None:
        """Makes a person who may sign in on the page."""
        done = self.appliance("users", "add", name, *options, stdin=f"{password}\n")
        assert done.returncode == 0, done.stderr

    def compose(
        self, *arguments: str, check: bool = True, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``docker compose`` on this project; `env` overrides settings for this one call."""
        command = ["docker", "compose", "--env-file", str(self.env_file), *arguments]
        done = subprocess.run(
            command,
            cwd=REPO,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
        return done

    def containers(self, service: str, *, stopped: bool = False) -> list[Container]:
        wanted = {"project": self.project, "service": service, "oneoff": "False"}
        labels = [f"com.docker.compose.{key}={value}" for key, value in wanted.items()]
        found: list[Container] = self.docker.containers.list(all=stopped, filters={"label": labels})
        return found

    def container(self, service: str, *, stopped: bool = False) -> Container:
        (only,) = self.containers(service, stopped=stopped)
        return only

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = requests.get(f"{self.url}/status", timeout=10).json()
        return status

    def wait_ready(self) -> None:
        """Waits until every replica and the engine are healthy and nginx reaches them."""
        wait_until(lambda: self._state() == "ready", "the appliance is ready", detail=self.diagnostics)

    def engine_gauge(self, name: str) -> float:
        """One value of the engines' /metrics, added up."""
        return sum(gauge(engine, name) for engine in self.containers("tgi"))

    def diagnostics(self) -> str:
        """What a person needs to see after a failure: states and the last lines of every service."""
        states = self.compose("ps", "--all", check=False).stdout
        logs = self.compose("logs", "--no-color", "--tail", "40", check=False).stdout
        return f"--- docker compose ps\n{states}\n--- logs\n{logs}"

    def _state(self) -> str:
        try:
            return str(self.status()["state"])
        except (requests.RequestException, ValueError):
            return "unreachable"

    def _write_env(self, settings: dict[str, str]) -> None:
        """Starts from what `appliance prepare` found on this host (base images, CA)."""
        found = found_on_this_host()
        host_keys = ("PYTHON_BASE", "NGINX_BASE", "CA_BUNDLE", "PIP_INDEX_URL")
        inherited = {key: found[key] for key in host_keys if key in found}
        values = {
            **inherited,
            "COMPOSE_FILE": f"{REPO}/docker-compose.yml:{REPO}/compose.cpu.yml",
            "UI_REPLICAS": "3",
            "ACCESS_DIR": str(self.access),
            **settings,
        }
        self.env_file.write_text("".join(f"{key}={value}\n" for key, value in values.items()))


def run_inside(container: Container, *command: str) -> tuple[int, str]:
    """A command in a running container: its exit code, and what it said on both streams.

    By Docker's own client: docker-py loses the beginning of what is said when it arrives together with the
    answer's headers (docker/docker-py#3332).
    """
    done = subprocess.run(
        ["docker", "exec", str(container.id), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout


def said_inside(container: Container, *command: str) -> str:
    """What a command in a running container said; it must succeed."""
    code, said = run_inside(container, *command)
    assert code == 0, said
    return said


def gauge(engine: Container, name: str) -> float:
    """One value of an engine's /metrics, read inside its container (the route is not public)."""
    script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:3000/metrics').read().decode())"
    lines = run_inside(engine, "python3", "-c", script)[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if re.match(rf"{name}[ {{]", line))


def running(container: Container) -> Callable[[], bool]:
    """A condition: the container runs, and is healthy if it has a health check."""

    def condition() -> bool:
        container.reload()
        state = container.attrs["State"]
        return bool(state["Running"]) and state.get("Health", {}).get("Status", "healthy") == "healthy"

    return condition


def found_on_this_host() -> dict[str, str]:
    """The settings that `appliance prepare` wrote: base images, a proxy's CA."""
    path = REPO / ".env"
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
