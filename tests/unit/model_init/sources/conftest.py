"""Three sources with the same model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.hub import Hub, running_hub
from harness.model_init_run import MODEL_ID, ModelInit, tiny_model


@pytest.fixture
def mirror() -> Iterator[Hub]:
    """A second hub with the same model, at the same commit."""
    with running_hub() as running:
        running.add(MODEL_ID, tiny_model())
        yield running


@pytest.fixture
def scope() -> Iterator[Hub]:
    """A hub that is asked with ModelScope's API."""
    with running_hub() as running:
        running.add(MODEL_ID, tiny_model())
        yield running


@pytest.fixture
def all_three(volume: Path, hub: Hub, mirror: Hub, scope: Hub) -> ModelInit:
    """model-init with every source, in the default order."""
    return ModelInit(
        volume,
        MODEL_SOURCES="hub,hf-mirror,modelscope",
        HF_ENDPOINT=hub.endpoint,
        HF_MIRROR_ENDPOINT=mirror.endpoint,
        MODELSCOPE_ENDPOINT=scope.endpoint,
    )
