"""Where things lie on this host, and the environment that everything which runs here gets."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv/test/bin"
PYTHON, NODE = str(BIN / "python"), str(BIN / "node")
# Folders whose packages are imported, as pytest's pythonpath in pyproject.toml: for what tests start.
IMPORTED = (
    ".",
    "tests",
    "scripts",
    "services/model-init",
    "services/cpu-engine",
    "services/openai-api",
    "ui",
)


def environment() -> dict[str, str]:
    """This process's, with our packages and the tests' own programs (node) found first."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in IMPORTED),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        # why: Compose builds with the engine's own BuildKit where no buildx is installed, as on Debian 12
        "DOCKER_BUILDKIT": "1",
        "BUILDKIT_PROGRESS": "plain",
    }
