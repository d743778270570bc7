"""A Docker engine of a test's own, which may be killed: in namespaces of its own, beside the shared one.

Owns its network, its mounts, its data, its socket and whatever it runs, and leaves nothing. Its images are
copies of the shared engine's. Knows nothing about what a test asserts. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from docker import DockerClient

from harness.waiting import wait_until


class PrivateDocker:
    """A context manager: inside it the engine runs, unless a test has killed it just now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = f"unix://{folder}/docker.sock"
        self._log = folder / "dockerd.log"
        self._daemon: subprocess.Popen[bytes] | None = None
        # a process whose only work is to keep the namespaces
        self._namespaces = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])
        self._beside: list[subprocess.Popen[bytes]] = []
        self.client = DockerClient(base_url=self.socket, version="1.41", timeout=120)

    def __enter__(self) -> Self:
        own = Path(f"/proc/{self._namespaces.pid}/ns/mnt")
        wait_until(lambda: os.readlink(own) != os.readlink("/proc/self/ns/mnt"), "the namespaces are made")
        subprocess.run(self.inside("ip", "link", "set", "lo", "up"), check=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._beside:
            process.kill()
            process.wait()
        with contextlib.suppress(Exception):
            for container in self.client.containers.list(all=True):
                container.remove(force=True)
        self.client.close()
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(timeout=60)
        self._namespaces.kill()
        self._namespaces.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start dockerd as a machine that was switched on would, and return when it answers."""
        for left in ("docker.pid", "exec/containerd/containerd.pid"):
            (self._folder / left).unlink(missing_ok=True)
        paths = {"data-root": "data", "exec-root": "exec", "pidfile": "docker.pid"}
        options = [f"--{option}={self._folder / path}" for option, path in paths.items()]
        with self._log.open("ab") as log:
            command = self.inside("dockerd", "--host", self.socket, *options)
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers, "the private dockerd answers", detail=self._log.read_text)

    def kill(self) -> None:
        """End dockerd and its containerd as a crash does: nobody is told, and containers run on."""
        assert self._daemon is not None
        containerd = self._folder / "exec/containerd/containerd.pid"
        processes = [int((self._folder / "docker.pid").read_text()), int(containerd.read_text())]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._daemon.wait(timeout=30)

    def take(self, *images: str) -> None:
        """Copy images from the shared engine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
            command = ["docker", "--host", self.socket, "load", "--quiet"]
            subprocess.run(command, stdin=save.stdout, check=True, stdout=subprocess.DEVNULL)
        assert save.returncode == 0

    def run_beside(self, command: Sequence[str], env: dict[str, str]) -> None:
        """Run a program of this host in the engine's network until the end."""
        self._beside.append(
            subprocess.Popen(self.inside(*command), env={**os.environ, **env}, stdout=subprocess.DEVNULL)
        )

    def inside(self, *command: str) -> list[str]:
        """A command of this host, as it runs in the engine's network and mounts."""
        return ["nsenter", f"--target={self._namespaces.pid}", "--net", "--mount", *command]

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, self._log.read_text()[-3000:]
        with contextlib.suppress(Exception):
            return bool(self.client.ping())
        return False
