"""A models volume, a hub that serves the tiny model, and model-init set to use them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.hub import Hub, running_hub
from harness.model_init_run import MODEL_ID, ModelInit, tiny_model


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that serves the tiny model."""
    with running_hub() as running:
        running.add(MODEL_ID, tiny_model())
        yield running


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An empty models volume."""
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def model_init(volume: Path, hub: Hub) -> ModelInit:
    """model-init, to fetch from the hub."""
    return ModelInit(volume, HF_ENDPOINT=hub.endpoint)


@pytest.fixture
def offline_init(volume: Path) -> Callable[..., ModelInit]:
    """model-init for sources that need no hub."""
    return lambda **environ: ModelInit(volume, **environ)
