"""The real engine as a process, for the tests that need it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

import cpu_engine
from harness.sse import events
from harness.waiting import wait_until

SOURCE = str(Path(cpu_engine.__file__).parents[1])
"""What a process of the engine needs as PYTHONPATH."""
MODEL_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
DEADLINE_S = 60.0
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
GREEDY_CHAT = {"messages": QUESTION, "temperature": 0, "max_tokens": 60}
ENDLESS = {"inputs": "1 2 3 4 5 6", "parameters": {"max_new_tokens": 8000}}
"""Minutes of counting: whoever sees it end has stopped it."""


class RunningEngine:
    """The engine as a process of its own, on a free port, with the real model."""

    def __init__(
        self, models: Path, log: Path, *flags: str, environment: Mapping[str, str] | None = None
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        command = [sys.executable, "-m", "cpu_engine", "--hostname", "127.0.0.1", "--port", str(self.port)]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--model-id", MODEL_ID, *flags],
                cwd=models,
                env={**os.environ, "PYTHONPATH": SOURCE, **(environment or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_healthy(self) -> None:
        """Until /health answers; at once when the process has ended."""

        def healthy() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(
                    f"the engine ended with {self.process.returncode}: {self.log.read_text()}"
                )
            try:
                return requests.get(f"{self.url}/health", timeout=DEADLINE_S).status_code == 200
            except requests.ConnectionError:
                return False

        wait_until(healthy, "healthy engine", deadline_s=DEADLINE_S, poll_s=0.05, detail=self.log.read_text)

    def post(self, path: str, body: Any, *, stream: bool = False) -> requests.Response:
        """POST JSON."""
        return requests.post(f"{self.url}{path}", json=body, stream=stream, timeout=DEADLINE_S)

    def metric(self, series: str) -> float:
        """Value of one series of /metrics, by its name with labels."""
        text = requests.get(f"{self.url}/metrics", timeout=DEADLINE_S).text
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        assert found, f"{series} is not in /metrics"
        return float(found[1])

    def kill_native(self) -> None:
        """Kill llama.cpp's server."""
        os.kill(self._native_pid(), signal.SIGKILL)

    def resident_kib(self) -> int:
        """Memory of the engine and of llama.cpp's server, in KiB."""
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in (self.process.pid, self._native_pid())]
        return sum(int(line.split()[1]) for text in statuses for line in text.splitlines() if "VmRSS" in line)

    def _native_pid(self) -> int:
        """llama.cpp's server is the engine's only child."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])


@contextmanager
def running_engine(
    models: Path, log: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[RunningEngine]:
    """An engine with extra flags and variables for the length of a `with`."""
    engine = RunningEngine(models, log, *flags, environment=environment)
    try:
        engine.wait_healthy()
        yield engine
    finally:
        if engine.process.poll() is None:
            engine.process.kill()
        engine.process.wait()


def wait_for(engine: RunningEngine, series: str, value: float) -> None:
    def reached() -> bool:
        return engine.metric(series) == value

    wait_until(reached, f"{series} = {value}", deadline_s=30, poll_s=0.05, detail=engine.log.read_text)


def stream_of(engine: RunningEngine, path: str, body: object) -> list[Any]:
    with engine.post(path, body, stream=True) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream")
        response.encoding = "utf-8"  # requests takes any text without a charset for Latin-1
        return list(events(response))


def templated(engine: RunningEngine, messages: list[dict[str, str]] = QUESTION) -> str:
    return str(engine.post("/chat_tokenize", {"messages": messages}).json()["templated_text"])


@contextmanager
def endless(
    engine: RunningEngine, path: str = "/generate_stream", body: object = ENDLESS, key: str = ""
) -> Iterator[None]:
    """A request that would go on for minutes, until the client closes its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=DEADLINE_S)
    connection.request(
        "POST", path, json.dumps(body), {"content-type": "application/json", "authorization": f"Bearer {key}"}
    )
    try:
        yield
    finally:
        connection.close()
