"""What tests under load share: a crowd, an engine for fifty answers at once, and nothing left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import requests
from openai import OpenAI

from harness.crowd import Crowd
from harness.stack import Stack, run_inside
from harness.waiting import wait_until

# llama.cpp reserves its memory for every slot: short conversations keep fifty of them small
FIFTY_SLOTS = ["--parallel=50", "--max-input-tokens=400", "--max-total-tokens=512"]
READ_METRICS = "import urllib.request as u; print(u.urlopen('http://nginx:8088/metrics').read().decode())"


@pytest.fixture
def crowd(stack: Stack) -> Iterator[Crowd]:
    with Crowd(stack.url) as everybody:
        yield everybody


@pytest.fixture(scope="module")
def wide_stack(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The appliance with an engine that writes fifty answers at a time; usually it is four."""
    services = json.loads(stack.compose("config", "--format", "json").stdout)["services"]
    override = tmp_path_factory.mktemp("wide") / "compose.json"
    command = [*services["tgi"]["command"], *FIFTY_SLOTS]
    override.write_text(json.dumps({"services": {"tgi": {"command": command}}}))
    files = re.findall("^COMPOSE_FILE=(.*)$", stack.env_file.read_text(), re.MULTILINE)[-1]
    _replace_engine(stack, {"COMPOSE_FILE": f"{files}:{override}"})
    yield stack
    _replace_engine(stack, {})


@pytest.fixture(scope="module")
def nothing_left(stack: Stack) -> Iterator[None]:
    """Afterwards nobody holds a place at nginx or a slot of the engine, and nobody has read a bare 502."""
    yield
    gauges = ("tgi_batch_current_size", "tgi_queue_size")
    wait_until(lambda: not any(stack.engine_gauge(name) for name in gauges), "the engine is idle")
    wait_until(
        lambda: not any(places(stack).values()),
        "every place is given back",
        detail=lambda: str(places(stack)),
    )
    lines = [
        json.loads(line) for line in stack.container("nginx").logs().splitlines() if line.startswith(b"{")
    ]
    assert [line for line in lines if line["status"] == 502] == []


def places(stack: Stack) -> dict[str, int]:
    """Requests in flight by account, as nginx counts them."""
    _, text = run_inside(stack.containers("ui")[0], "python3", "-c", READ_METRICS)
    return {
        account: int(n)
        for account, n in re.findall(r'^appliance_running\{account="(.*)"\} (\S+)', text, re.M)
    }


def _replace_engine(stack: Stack, settings: dict[str, str]) -> None:
    stack.compose("up", "-d", "--no-deps", "--no-build", "--wait", "tgi", env=settings)
    # nginx has found the new container's address
    one_token = {"inputs": "x", "parameters": {"max_new_tokens": 1}}
    wait_until(
        lambda: requests.post(f"{stack.url}/generate", json=one_token, timeout=30).ok, "the engine answers"
    )


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0, timeout=120) as made:
        yield made
