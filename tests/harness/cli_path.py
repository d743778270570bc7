"""Where the operator's command lives, for tests that start it as a process, as scripts/appliance does."""

from __future__ import annotations

from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PYTHONPATH = f"{SCRIPTS}:{SCRIPTS.parent}/services/model-init"
