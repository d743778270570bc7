"""The GPU product as Compose renders it, flag by flag. TGI's image itself is not run here."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.config import values
from appliance_cli.gpu import compose_file
from appliance_cli.gpu import settings as gpu_settings
from harness.stack import REPO
from model_init.kernels.folder import ROOT
from model_init.kernels.pinned import PINNED

STAND_IN = """
    image: {image}
    entrypoint: !reset null
    command: !override [python3, -c, "import time; time.sleep(600)"]
    deploy: !reset null
    depends_on: !reset null
    healthcheck: !reset null
    volumes: !reset null
    working_dir: /
    stop_grace_period: 0s
"""
LOOK_UP = "import socket; print(*{a[4][0] for a in socket.getaddrinfo('tgi', 3000, proto=6)})"


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    """`docker compose config` of the GPU file with no .env and a clean environment."""
    command = [
        "docker",
        "compose",
        "--env-file",
        "/dev/null",
        "-f",
        "docker-compose.yml",
        "config",
        "--format",
        "json",
    ]
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_flags(rendered: dict[str, Any]) -> None:
    """Spelling and meaning: text-generation-launcher 3.3.7, launcher/src/main.rs."""
    assert rendered["services"]["tgi"]["command"] == [
        "--model-id=Qwen/Qwen2.5-7B-Instruct",
        "--hostname=0.0.0.0",
        "--port=3000",
        "--quantize=bitsandbytes-nf4",
        "--dtype=bfloat16",
        "--num-shard=1",
        "--max-input-tokens=7168",
        "--max-total-tokens=8192",
        "--max-batch-prefill-tokens=4096",
        "--cuda-graphs=1,2,4,8,16,32,48,64,96,128",
        "--cuda-memory-fraction=0.70",
        "--max-concurrent-requests=128",
        "--usage-stats=off",
        "--json-output",
    ]


def test_the_fast_kernels_stand_before_the_images_own(rendered: dict[str, Any]) -> None:
    environment = rendered["services"]["tgi"]["environment"]
    assert environment["PYTHONPATH"] == f"/models/{ROOT}/fast-nf4-1/{PINNED.name}"
    assert environment["BNB_CUDA_VERSION"] == "126"


def test_one_pinned_card(rendered: dict[str, Any]) -> None:
    tgi = rendered["services"]["tgi"]
    assert tgi["image"] == "ghcr.io/huggingface/text-generation-inference:3.3.7"
    assert tgi["deploy"]["resources"]["reservations"]["devices"] == [
        {"driver": "nvidia", "device_ids": ["0"], "capabilities": ["gpu"]}
    ]


def test_the_model_is_read_only_and_found_without_the_hub(rendered: dict[str, Any]) -> None:
    tgi = rendered["services"]["tgi"]
    volume, entry = tgi["volumes"]
    assert (entry["target"], entry["read_only"]) == ("/start-when-ready", True)
    assert (volume["source"], volume["target"], volume["read_only"]) == ("models", "/models", True)
    assert tgi["working_dir"] == "/models"
    assert tgi["environment"]["HF_HUB_OFFLINE"] == "1"
    assert {entry.split(":")[0] for entry in tgi["tmpfs"]} == {
        "/tmp",
        "/models/out",
        "/root/.triton",
        "/root/.cache",
    }


def test_tgi_is_neither_published_nor_able_to_reach_out(rendered: dict[str, Any]) -> None:
    assert "ports" not in rendered["services"]["tgi"]
    assert list(rendered["services"]["tgi"]["networks"]) == ["backend"]
    assert rendered["networks"]["backend"]["internal"] is True
    assert [name for name, service in rendered["services"].items() if "ports" in service] == ["nginx"]
    assert [name for name, service in rendered["services"].items() if "egress" in service["networks"]] == [
        "model-init"
    ]


def test_a_slow_load_is_not_an_illness(rendered: dict[str, Any]) -> None:
    tgi = rendered["services"]["tgi"]
    assert tgi["healthcheck"]["test"][:2] == ["CMD", "curl"]
    assert (
        tgi["healthcheck"]["start_period"] == "720h0m0s"
    )  # a first download may take days, and is waited for inside
    assert tgi["stop_grace_period"] == "3m20s"  # over TGI's two drains of 90 s
    # a container that only Compose would start is lost when Docker restarts in a first download
    assert tgi["depends_on"]["model-init"]["condition"] == "service_started"
    assert tgi["entrypoint"] == ["sh", "/start-when-ready", "/tgi-entrypoint.sh"]
    assert "tgi" not in rendered["services"]["ui"]["depends_on"]
    assert "depends_on" not in rendered["services"]["nginx"]


def test_model_init_gives_up_after_a_bounded_number_of_times(rendered: dict[str, Any]) -> None:
    assert rendered["services"]["model-init"]["restart"] == "on-failure:3"


def test_services_stand_in_data_flow_order() -> None:
    text = (REPO / "docker-compose.yml").read_text()
    services = text[text.index("\nservices:") : text.index("\nnetworks:")]
    assert re.findall(r"^  ([\w-]+):$", services, re.M) == [
        *("model-init", "tgi"),
        "cpu-engine",  # an image that runs in tgi's place
        *("ui", "openai-api", "nginx"),
        *("gpu-metrics", "prometheus", "grafana", "grafana-door"),
    ]


@pytest.fixture
def two_engines(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """The services that `up` generates for two cards, with something that only sleeps in TGI's place."""
    shutil.copy2(REPO / "docker-compose.yml", tmp_path)
    settings = gpu_settings.parse({"TGI_REPLICAS": "2"})
    (tmp_path / "engines.yml").write_text(compose_file.override(settings, {}, ["GPU-a", "GPU-b"]))
    names = compose_file.engine_names(2)
    image = values.read(REPO / ".env").text("PYTHON_BASE")
    stand_ins = "".join(f"  {name}:{STAND_IN.format(image=image)}" for name in names)
    (tmp_path / "stand-ins.yml").write_text(f"services:\n{stand_ins}")
    files = [part for name in ("docker-compose.yml", "engines.yml", "stand-ins.yml") for part in ("-f", name)]
    project = f"appliance-test-{secrets.token_hex(3)}"

    def compose(*arguments: str) -> str:
        command = ["docker", "compose", "--env-file", os.devnull, "-p", project, *files, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        compose("up", "-d", "--no-deps", "--no-build", *names)
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "0")


def test_two_engines_answer_to_the_one_name_that_nginx_asks_for(two_engines: Callable[..., str]) -> None:
    found = {
        tuple(sorted(two_engines("exec", "-T", name, "python3", "-c", LOOK_UP).split()))
        for name in compose_file.engine_names(2)
    }
    (addresses,) = found
    assert len(addresses) == 2
