"""The scripts for a machine with a GPU, as far as they go without one."""

from __future__ import annotations

import importlib.util
import json
import py_compile
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[4]
GPU = REPO / "bench" / "gpu"


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize("path", sorted(GPU.glob("*.py")))
def test_they_are_valid_python(path: Path, tmp_path: Path) -> None:
    py_compile.compile(str(path), cfile=str(tmp_path / "compiled"), doraise=True)


def test_two_runs_become_one_table() -> None:
    def run(version: str, graph: float) -> dict[str, object]:
        times = {"1": 4.0, "8": graph}
        return {
            "bitsandbytes": version,
            "gpu": "NVIDIA X",
            "layers": 28,
            "largest_error": 0.0017,
            "ms_per_step_eager": times,
            "ms_per_step_cuda_graph": times,
            "ms_per_step_bf16_cuda_graph": times,
        }

    old, new = (json.loads(json.dumps(run(*values))) for values in (("0.45.2", 12.0), ("0.50.2", 8.0)))
    lines = module(GPU / "merge_fast_nf4.py").table(old, new).splitlines()
    assert lines[-2:] == [
        "| 1 | 4.0 | 4.0 | 4.0 | 4.0 | 4.0 | 1.00× |",
        "| 8 | 12.0 | 12.0 | 8.0 | 8.0 | 8.0 | 1.50× |",
    ]
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
