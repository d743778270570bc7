"""What bench_door measures against, in containers of its own: the emitter as `tgi`, the door, LiteLLM's
proxy; page_rig has the page in them.

Owns one internal Docker network (no route out) and every container on it, and removes them by id. Emitter
and client share one core, the proxies have another. Knows nothing of what is measured.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import docker
import requests
from docker.models.containers import Container
from docker.models.networks import Network

from bench.tgi_shapes import MODEL
from harness.waiting import wait_until

REPO = Path(__file__).resolve().parents[1]
_HARDENED: dict[str, Any] = {
    "detach": True,
    "init": True,
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    # The appliance's own bound: a log that grows is part of the cost.
    "log_config": {"Type": "json-file", "Config": {"max-size": "20m", "max-file": "5"}},
}


class Rig:
    """The containers of one benchmark.

    Attributes:
        key: a bearer key that door and LiteLLM accept.
        openai_api: what the door has translate OpenAI's dialect, once the door runs.
    """

    def __init__(self, load_core: int, proxy_core: int, cgroup_parent: str | None = None) -> None:
        self.key = "sk-" + secrets.token_urlsafe(32)
        self._cores = {"load": str(load_core), "proxy": str(proxy_core)}
        self._cgroup_parent = cgroup_parent
        self._containers: list[Container] = []

    def __enter__(self) -> Self:
        self._docker = docker.from_env()
        self._scratch = Path(tempfile.mkdtemp(prefix="bench-door-"))
        name = f"bench-door-{secrets.token_hex(3)}"
        self._network = self._docker.networks.create(name, driver="bridge", internal=True)
        # As in the product: openai-api asks nginx by a network on which the host has no address.
        self._inside = self._docker.networks.create(
            f"{name}-inside",
            driver="bridge",
            internal=True,
            options={"com.docker.network.bridge.inhibit_ipv4": "true"},
        )
        self._networks = [self._network, self._inside]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for container in self._containers:
            # Somebody else's cleaning must not leave the rest behind.
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True, v=True)
        for network in self._networks:
            with contextlib.suppress(docker.errors.APIError):
                network.remove()
        self._docker.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def emitter(self) -> Container:
        """The engine, under the name that the door looks for."""
        return self.start(
            python_image(),
            ["python3", "-m", "bench.token_emitter", "--port", "3000"],
            core="load",
            alias="tgi",
            environment={"PYTHONPATH": "/appliance", "PYTHONDONTWRITEBYTECODE": "1"},
            volumes={str(REPO / "bench"): {"bind": "/appliance/bench", "mode": "ro"}},
        )

    def door(self, image: str, mounts: dict[str, str] | None = None) -> Container:
        """nginx as the appliance runs it, with one key that every limit applies to and none stops, the
        engine's number of places among them.

        Args:
            image: the door's image.
            mounts: files to put over the image's own (host path → path inside), for trying a change.
        """
        access = self._scratch / "access"
        access.mkdir(exist_ok=True)
        keys = access / "keys.json"
        keys.write_text(json.dumps({"schema": 1, "keys": [_key_entry(self.key)]}))
        owner = (10001, 10001) if os.getuid() == 0 else (os.getuid(), os.getgid())
        for path, mode in ((keys, 0o600), (access, 0o700), (self._scratch, 0o755)):
            os.chown(path, *owner)
            path.chmod(mode)
        volumes = {str(access): {"bind": "/access", "mode": "ro"}}
        for source, target in (mounts or {}).items():
            volumes[source] = {"bind": target, "mode": "ro"}
        inside = self._scratch / "inside"
        inside.mkdir()
        os.chown(inside, *owner)
        volumes[str(inside)] = {"bind": "/inside", "mode": "rw"}
        door = self.start(
            image,
            None,
            core="proxy",
            inside="nginx",
            user=f"{owner[0]}:{owner[1]}",
            environment={"BIND_ADDRESS": "0.0.0.0", "TLS": "off", "MAX_CONCURRENT_REQUESTS": "100000"},
            volumes=volumes,
            tmpfs={"/tmp": "size=256m,mode=1777", "/state": "size=64m,mode=1777"},
            mem_limit="512m",
        )
        self._openai_api(inside)
        return door

    def _openai_api(self, inside: Path) -> None:
        """What speaks OpenAI's dialect behind the door, one of it, on the proxies' core."""
        self.openai_api = self.start(
            "qwen-appliance/openai-api:local",
            None,
            core="proxy",
            inside="openai-api",
            environment={"ENGINE_URL": "http://nginx:8088/engine", "MODEL_ID": MODEL},
            volumes={str(inside): {"bind": "/inside", "mode": "ro"}},
        )

    def start(
        self,
        image: str,
        command: list[str] | None,
        *,
        core: str,
        alias: str | None = None,
        inside: str | None = None,
        networks: Sequence[Network] = (),
        **options: Any,
    ) -> Container:
        """Starts a container on the network, pinned to the `load` or the `proxy` core; with a name `inside`
        also on the network that the host does not reach, and on `networks`."""
        defaults = {**_HARDENED, "user": "10001:10001", "tmpfs": {"/tmp": "size=1g,mode=1777"}}
        container = self._docker.containers.create(
            image,
            command,
            **{**defaults, **options},
            cpuset_cpus=self._cores[core],
            network=self._network.name,
            cgroup_parent=self._cgroup_parent,
        )
        self._containers.append(container)
        if alias:
            self._network.disconnect(container)
            self._network.connect(container, aliases=[alias])
        if inside:
            self._inside.connect(container, aliases=[inside])
        for network in networks:
            network.connect(container)
        container.start()
        container.reload()
        return container

    def stop(self, container: Container) -> None:
        """Removes one container before the end."""
        self._containers.remove(container)
        container.remove(force=True, v=True)

    def address(self, container: Container, port: int) -> tuple[str, int]:
        """Where it listens: its own address, past Docker's port proxy."""
        container.reload()
        return container.attrs["NetworkSettings"]["Networks"][self._network.name]["IPAddress"], port

    def wait_answers(self, container: Container, port: int, deadline_s: float = 60) -> None:
        """Waits until a chat request with the key is answered.

        Raises:
            AssertionError: when it is not; names the last answer and the container's last words.
        """
        url = "http://{}:{}/v1/chat/completions".format(*self.address(container, port))
        body = {"model": "bench/model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        last: list[str] = [""]

        def answers() -> bool:
            headers = {"Authorization": f"Bearer {self.key}"}
            try:
                reply = requests.post(url, json=body, headers=headers, timeout=5)
            except requests.RequestException as error:
                last[0] = str(error)
                return False
            last[0] = f"{reply.status_code} {reply.text[:200]}"
            return reply.status_code == 200

        detail: Callable[[], str] = lambda: last[0] + "\n" + container.logs(tail=20).decode()  # noqa: E731
        wait_until(answers, f"{url} answers", deadline_s=deadline_s, detail=detail)

    def cpu_seconds(self, container: Container) -> float:
        """Processor seconds of all its processes since its start, the kernel's work for them included."""
        stats = self._docker.api.stats(str(container.id), stream=False, one_shot=True)
        return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def memory_mb(self, container: Container) -> float:
        """What its processes hold that no file backs."""
        found = self._docker.api.stats(str(container.id), stream=False, one_shot=True)
        stats = found["memory_stats"]["stats"]
        return float(stats.get("anon", stats.get("total_rss", 0))) / 2**20

    def all_cpu_seconds(self) -> float:
        """Of all containers that run now."""
        return sum(map(self.cpu_seconds, self._containers))


def python_image() -> str:
    """The Python base that the appliance's own images are built on: from the environment, `.env`, or
    Compose's default."""
    env_file = REPO / ".env"
    lines = env_file.read_text().splitlines() if env_file.exists() else []
    found = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return os.environ.get("PYTHON_BASE") or found.get("PYTHON_BASE") or "python:3.13-slim"


def _key_entry(key: str) -> dict[str, object]:
    return {
        "name": "bench",
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "hint": "…" + key[-4:],
        "created": "2026-11-22T19:00:00Z",
        "expires": None,
        "rpm": 10_000_000,
        "concurrent": 100_000,
        "daily_tokens": 10**12,
    }
