"""An index with the wheel, and model-init that wants it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.fast_kernels import DATA, WHEEL
from harness.model_init_run import ModelInit
from harness.package_index import PackageIndex, running_index


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    """An index with the wheel."""
    with running_index("bitsandbytes", {WHEEL: DATA}) as running:
        yield running


@pytest.fixture
def fast(model_init: ModelInit, index: PackageIndex) -> ModelInit:
    """model-init that wants the kernels from that index."""
    model_init.environ |= {"FAST_NF4": "1", "PIP_INDEX_URL": index.url}
    return model_init
