"""nginx of the appliance alone, on a network of its own, with an echo in place of everything behind it.

Owns the two containers, their network and nginx's state. It shows what a caller cannot see: what reached chat
and engine. It takes the built image and the access files of a running appliance; asserts nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import docker
import requests
from docker.models.containers import Container

from harness.sse import events
from harness.stack import Stack, run_inside, said_inside
from harness.waiting import wait_until

NGINX = "qwen-appliance/nginx:local"
PYTHON = "qwen-appliance/ui:local"  # of the appliance's images one with Python
ECHO = Path(__file__).with_name("echo_upstream.py")


class LoneDoor:
    """A door that serves while the `with` block lasts.

    Attributes:
        port: where it is published on 127.0.0.1.
        nginx: its container.
    """

    def __init__(self, access: Path, user: str, settings: dict[str, str] | None = None) -> None:
        """`access` is mounted read-only and read as `user` (uid:gid); `settings` are nginx's environment."""
        self._access = access
        self._user = user
        self._settings = settings or {}
        self._name = f"lone-door-{secrets.token_hex(3)}"
        self._docker = docker.from_env()
        self._containers: list[Container] = []
        self._network = self._docker.networks.create(self._name)
        self._state = self._docker.volumes.create(self._name)

    @classmethod
    def beside(cls, stack: Stack, settings: dict[str, str] | None = None) -> LoneDoor:
        """A door that knows the keys and people of a running appliance, and takes its cookies."""
        user = stack.container("nginx").attrs["Config"]["User"]
        return cls(stack.access, user, {"APPLIANCE_NAME": stack.project, **(settings or {})})

    def __enter__(self) -> LoneDoor:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it is published; another port after a restart."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Removes the containers, the network and the state."""
        for container in self._containers:
            container.remove(force=True, v=True)
        self._containers.clear()
        self._network.remove()
        self._state.remove()
        self._docker.close()

    def seen(self) -> list[dict[str, Any]]:
        """What reached those behind the door, in order: service, method, target, headers, body."""
        seen: list[dict[str, Any]] = requests.get(f"{self._control}/seen", timeout=10).json()
        return seen

    def forget(self) -> None:
        """Empties the record."""
        requests.post(f"{self._control}/forget", timeout=10)

    def log(self) -> str:
        """What nginx wrote: the access log's JSON lines and the error log."""
        return str(self.nginx.logs().decode())

    @contextmanager
    def stream(
        self, *fields: str, path: str = "/generate_stream", scheme: str = "http"
    ) -> Iterator[Callable[[], None]]:
        """An answer that goes on; what is yielded returns once a piece written after its call has come.

        Raises:
            requests.RequestException, StopIteration: from what is yielded, when the stream was cut, or said
                nothing for 10 s (pieces are written every 0.1 s).
        """
        method = "POST" if path == "/generate_stream" else "GET"
        with requests.request(
            method,
            f"{scheme}://127.0.0.1:{self.port}{path}",
            headers=dict(field.split(": ", 1) for field in fields),
            stream=True,
            timeout=10,
            verify=False,
        ) as answer:
            assert answer.status_code == 200
            pieces = events(answer)

            def goes_on() -> None:
                now = time.time()
                while next(pieces)["written_at"] < now:
                    pass

            goes_on()
            yield goes_on

    def run(self, *command: str) -> tuple[int, str]:
        """A command in nginx's container: its exit code, and what it said."""
        return run_inside(self.nginx, *command)

    def said_behind(self, *command: str) -> str:
        """What a command said in the echo's container, which is another caller's address; it must succeed."""
        return said_inside(self._echo, *command)

    def restart(self) -> None:
        """Kills nginx, as a power cut does, and starts it again; the published port may change."""
        self.nginx.kill()
        self.nginx.start()
        self._await_nginx()

    def stop_behind(self) -> None:
        """Ends everything behind the door."""
        self._echo.stop(timeout=0)

    def behind_a_proxy(self, settings: str) -> int:
        """Starts another nginx in front of this one, with no other settings; returns its port."""
        location = f"location / {{ {settings} proxy_pass http://nginx:8080; }}"
        conf = f"pid /tmp/front.pid; events {{}} http {{ server {{ listen 8080; {location} }} }}"
        front = self._run(
            NGINX,
            entrypoint=[
                "sh",
                "-c",
                'echo "$CONF" >/tmp/front.conf; exec nginx -c /tmp/front.conf -g "daemon off;"',
            ],
            environment={"CONF": conf},
            aliases=["front"],
            ports={"8080/tcp": ("127.0.0.1", None)},
            user="0",
        )
        port = _published(front, "8080/tcp")
        wait_until(
            lambda: _answers(port), "the proxy answers", deadline_s=30, detail=lambda: front.logs().decode()
        )
        return port

    def lend_service(self, network: str, name: str) -> None:
        """Puts the echo on another network too, under a name there, until this door closes."""
        self._docker.networks.get(network).connect(self._echo, aliases=[name])

    def _start(self) -> None:
        self._echo = self._run(
            PYTHON,
            entrypoint=["python3", "-c", ECHO.read_text()],
            ports={"9000/tcp": ("127.0.0.1", None)},
            aliases=["ui", "tgi", "openai-api", "sso"],
        )
        self._await_echo()
        self.nginx = self._run(
            NGINX,
            ports={"8080/tcp": ("127.0.0.1", None)},
            aliases=["nginx"],
            user=self._user,
            read_only=True,
            tmpfs={"/tmp": "mode=1777", "/inside": "mode=1777"},
            volumes={
                str(self._access): {"bind": "/access", "mode": "ro"},
                self._state.name: {"bind": "/state", "mode": "rw"},
            },
            environment=self._settings,
        )
        self._await_nginx()

    def _await_nginx(self) -> None:
        wait_until(self._healthy, "nginx answers", deadline_s=30, detail=self.log)
        self.port = _published(self.nginx, "8080/tcp")

    def _await_echo(self) -> None:
        self._control = f"http://127.0.0.1:{_published(self._echo, '9000/tcp')}"
        wait_until(self._echoes, "the echo answers", deadline_s=30, detail=lambda: self._echo.logs().decode())

    def _echoes(self) -> bool:
        try:
            return self.seen() == []
        except requests.ConnectionError:
            return False

    def _healthy(self) -> bool:
        self.nginx.reload()
        assert self.nginx.status == "running", f"nginx ended:\n{self.log()}"
        code, _ = run_inside(self.nginx, "/etc/nginx/healthcheck.sh")
        return code == 0

    def _run(self, image: str, *, aliases: list[str], **options: Any) -> Container:
        endpoint = self._docker.api.create_endpoint_config(aliases=aliases)
        container = self._docker.containers.run(
            image,
            detach=True,
            init=True,
            network=self._name,
            networking_config={self._name: endpoint},
            **options,
        )
        self._containers.append(container)
        return container


def headers_of(request: dict[str, Any]) -> dict[str, str]:
    """What a request carried when it arrived, by names in lower case.

    Raises:
        AssertionError: when a header came twice.
    """
    names = [name for name, _ in request["headers"]]
    assert len(set(names)) == len(names), names
    return {name: value for name, value in request["headers"]}


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/status", timeout=10).ok
    except requests.ConnectionError:
        return False


def _published(container: Container, port: str) -> int:
    container.reload()
    bindings = container.ports[port]
    assert bindings, f"{port} is not published"
    return int(bindings[0]["HostPort"])
