"""model-init in its container: the published model is what was promised, or it says in one line why not."""

from __future__ import annotations

import json
from typing import Any

import docker
import pytest

from harness.stack import Stack
from harness.volume import MODEL, flip_a_byte, in_volume, sha256_on_disk

IMAGE = "qwen-appliance/model-init:local"


def model_init(stack: Stack, **settings: str) -> tuple[int, str]:
    """Runs model-init once more on the stack's volume: exit code and what it printed."""
    overrides = [part for key, value in settings.items() for part in ("-e", f"{key}={value}")]
    done = stack.compose("run", "--rm", "--no-deps", *overrides, "model-init", check=False)
    return done.returncode, done.stdout + done.stderr


def manifest(stack: Stack) -> dict[str, Any]:
    return dict(json.loads(in_volume(stack, f"print(open('/models/{MODEL}/manifest.json').read())")))


def test_a_second_start_fetches_nothing(stack: Stack) -> None:
    before = manifest(stack)
    code, output = model_init(
        stack, HTTPS_PROXY="http://127.0.0.2:9", PIP_INDEX_URL="http://127.0.0.1:9/simple"
    )
    assert code == 0, output
    assert manifest(stack) == before


def test_a_flipped_byte_is_caught_at_the_next_start_repaired_and_said(stack: Stack) -> None:
    stack.compose("stop", "tgi")
    expected = manifest(stack)["files"][0]["sha256"]
    flip_a_byte(stack)

    again = stack.appliance("up", "--yes", "--engine", "cpu")
    assert again.returncode == 0, again.stderr

    (repaired,) = stack.status()["model"]["repaired"]
    assert repaired["path"].endswith(".gguf")
    assert repaired["expected_sha256"] == expected
    assert repaired["found_sha256"] != expected
    logs = stack.compose("logs", "--no-color", "--no-log-prefix", "model-init").stdout
    messages = [json.loads(line)["message"] for line in logs.splitlines()]
    assert any(message.startswith("damaged") and repaired["found_sha256"] in message for message in messages)
    assert sha256_on_disk(stack) == expected
    quarantine = in_volume(stack, f"import os; print(os.listdir('/models/{MODEL}/.quarantine'))")
    assert repaired["found_sha256"][:12] in quarantine


@pytest.mark.parametrize(
    ("code", "settings", "says"),
    [
        (2, {"MODEL_SOURCE": "banana"}, "MODEL_SOURCE"),
        (2, {"MODEL_ID": "../../etc"}, "MODEL_ID"),
        (2, {"HTTPS_PROXY": "http://127.0.0.1:7890"}, "write http://host.docker.internal:7890 and let"),
        (
            13,
            {
                "MODEL_ID": "a/b",
                "MODEL_SOURCES": "hub",
                "HF_ENDPOINT": "http://127.0.0.1:9",
                "MODEL_RETRIES": "0",
            },
            "127.0.0.1:9",
        ),
        (11, {"MODEL_ID": "a/b", "MODEL_SOURCE": "folder"}, "/import"),
    ],
)
def test_a_failure_is_one_clear_line_and_leaves_the_model_alone(
    stack: Stack, code: int, settings: dict[str, str], says: str
) -> None:
    found, output = model_init(stack, **settings)
    assert found == code, output
    assert says in output
    assert "Traceback" not in output
    assert model_init(stack)[0] == 0, "the appliance's own model is still good"


def test_a_proxy_on_the_host_is_reached_by_the_name_that_is_advised(stack: Stack) -> None:
    command = ("python3", "model-init", "-c", "import socket; socket.gethostbyname('host.docker.internal')")
    done = stack.compose("run", "--rm", "--no-deps", "--entrypoint", *command, check=False)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_is_refused_before_anything_is_fetched(stack: Stack) -> None:
    engine = docker.from_env()
    container = engine.containers.run(
        IMAGE,
        detach=True,
        user="10001:10001",
        environment={"MODEL_ID": MODEL, "MODEL_FORMAT": "gguf"},
        tmpfs={"/models": "size=20m,uid=10001,gid=10001", "/tmp": "mode=1777"},
        network=f"{stack.project}_egress",
    )
    try:
        assert container.wait()["StatusCode"] == 10
        output = container.logs().decode()
    finally:
        container.remove(force=True)
        engine.close()
    assert "disk" in output
    assert "Traceback" not in output
