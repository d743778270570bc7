"""The operator's model commands on the running appliance, which goes on serving."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.stack import REPO, Stack, said_inside
from harness.volume import GGUF_BYTES, MODEL, flip_a_byte
from harness.waiting import wait_until

OTHER = "somebody/SmolLM2-copy"


def serves(stack: Stack, model: str) -> bool:
    answer = requests.get(f"{stack.url}/v1/models", timeout=30)
    return answer.status_code == 200 and answer.json()["data"][0]["id"] == model


def on_disk(stack: Stack) -> dict[str, dict[str, Any]]:
    listing = stack.appliance("model", "list", "--json")
    assert listing.returncode == 0, listing.stderr
    return {model["model_id"]: model for model in json.loads(listing.stdout)["models"]}


@pytest.fixture
def hub(stack: Stack) -> Iterator[str]:
    """A hub in a container beside model-init, which has the tiny model under another name."""
    container = stack.docker.containers.run(
        "qwen-appliance/model-init:local",
        [
            "-m",
            "harness.hub",
            "--folder",
            f"/models/{MODEL}",
            "--id",
            OTHER,
            "--bind",
            "0.0.0.0",
            "--port",
            "8000",
        ],
        entrypoint="python3",
        environment={"PYTHONPATH": "/tests"},
        volumes={
            f"{REPO}/tests": {"bind": "/tests", "mode": "ro"},
            f"{stack.project}_models": {"bind": "/models", "mode": "ro"},
        },
        name=f"{stack.project}-hub",
        network=f"{stack.project}_egress",
        detach=True,
    )
    settings = stack.env_file.read_text()
    stack.env_file.write_text(settings + f"HF_ENDPOINT=http://{stack.project}-hub:8000\nMODEL_SOURCES=hub\n")
    yield OTHER
    container.remove(force=True)
    stack.env_file.write_text(settings)


def test_verify_reads_every_byte_while_the_model_is_served(stack: Stack) -> None:
    done = stack.appliance("verify", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bad"] == []
    assert serves(stack, MODEL)


def test_verify_names_a_damaged_file_and_the_next_start_repairs_it(stack: Stack) -> None:
    stack.compose("stop", "tgi")
    flip_a_byte(stack)

    done = stack.appliance("verify")
    assert done.returncode == 14
    assert ".gguf" in done.stderr
    assert "Traceback" not in done.stderr

    stack.up()
    assert stack.appliance("verify").returncode == 0


def test_the_model_in_use_is_listed_and_not_removed(stack: Stack) -> None:
    model = on_disk(stack)[MODEL]
    assert model["complete"] is True
    assert model["in_use"] is True
    assert model["size_bytes"] == GGUF_BYTES

    refused = stack.appliance("model", "remove", MODEL, "--yes")
    assert refused.returncode == 2
    assert "in use" in refused.stderr
    assert on_disk(stack)[MODEL] == model


def test_removing_needs_a_persons_consent(stack: Stack) -> None:
    refused = stack.appliance("model", "remove", MODEL, "--force")
    assert refused.returncode == 3
    assert "--yes" in refused.stderr
    assert MODEL in on_disk(stack)


def test_a_model_travels_as_one_file(stack: Stack, tmp_path: Path) -> None:
    bundle = tmp_path / "model.tar"
    exported = stack.appliance("model", "export", MODEL, str(bundle))
    assert exported.returncode == 0, exported.stderr
    assert bundle.stat().st_size > GGUF_BYTES

    removed = stack.appliance("model", "remove", MODEL, "--force", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert MODEL not in on_disk(stack)

    imported = stack.appliance("model", "import", str(bundle))
    assert imported.returncode == 0, imported.stderr
    assert on_disk(stack)[MODEL]["complete"] is True
    assert stack.appliance("verify").returncode == 0


def test_a_damaged_bundle_is_refused(stack: Stack, tmp_path: Path) -> None:
    bundle = tmp_path / "model.tar"
    assert stack.appliance("model", "export", MODEL, str(bundle)).returncode == 0
    with bundle.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))

    refused = stack.appliance("model", "import", str(bundle))
    assert refused.returncode == 14
    assert "corrupt import" in refused.stderr
    assert on_disk(stack)[MODEL]["complete"] is True
    assert stack.appliance("verify").returncode == 0


def test_another_model_is_swapped_in_when_it_is_proven(stack: Stack, hub: str) -> None:
    done = stack.appliance("model", "use", hub)
    try:
        assert done.returncode == 0, done.stderr
        assert serves(stack, hub)
        assert on_disk(stack)[hub]["in_use"] is True
        assert on_disk(stack)[MODEL]["complete"] is True, "the former model is kept until it is removed"
    finally:
        back = stack.appliance("model", "use", MODEL)
        assert back.returncode == 0, back.stderr
    assert serves(stack, MODEL)
    assert stack.appliance("model", "remove", hub, "--yes").returncode == 0


def test_a_killed_download_goes_on_where_it_stopped(stack: Stack, hub: str) -> None:
    slowly = ("run", "--rm", "--no-deps", "-d", "-e", f"MODEL_ID={hub}", "-e", "BANDWIDTH_LIMIT=5M")
    started = stack.compose(*slowly, "model-init", "fetch").stdout.strip()
    wait_until(lambda: partial_bytes(stack, hub) > 10_000_000, "a tenth of the model has come")
    stack.docker.containers.get(started).kill("SIGKILL")
    kept = partial_bytes(stack, hub)
    assert 10_000_000 < kept < GGUF_BYTES
    assert hub not in {model_id for model_id, model in on_disk(stack).items() if model["complete"]}

    again = stack.compose(
        "run", "--rm", "--no-deps", "-e", f"MODEL_ID={hub}", "model-init", "fetch", check=False
    )
    assert again.returncode == 0, again.stderr
    assert on_disk(stack)[hub]["complete"] is True
    hub_log = stack.docker.containers.get(f"{stack.project}-hub").logs().decode()
    assert hub_log.count('" 206 ') == 1, "the second part was asked for, not the whole"
    assert stack.appliance("model", "remove", hub, "--yes").returncode == 0


def partial_bytes(stack: Stack, model: str) -> int:
    """How much of an unfinished download is on disk."""
    script = f"import glob, os; print(sum(map(os.path.getsize, glob.glob('/models/{model}/*.partial'))))"
    return int(said_inside(stack.containers("ui")[0], "python3", "-c", script))


def test_a_model_that_does_not_exist_changes_nothing(stack: Stack, hub: str) -> None:
    before = stack.env_file.read_text()
    failed = stack.appliance("model", "use", "nobody/nothing")
    assert failed.returncode == 4
    assert "no such model" in failed.stderr
    assert "still in use" in failed.stderr
    assert stack.env_file.read_text() == before
    assert serves(stack, MODEL)
