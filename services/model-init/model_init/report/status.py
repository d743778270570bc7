"""status.json: what model-init is doing now, for the page, the CLI and /status. Owns the file's form.

Written by atomic replace, at most about twice a second while bytes move, at once when the stage changes. A
reader sees from `updated_at` (Unix seconds) whether anybody is still writing.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Stage = Literal["starting", "downloading", "verifying", "ready", "failed"]

UPDATE_INTERVAL_S = 0.5


@dataclass
class Status:
    """status.json, schema 1; sizes are bytes, rate is bytes per second, eta is seconds.

    `sources`: the hubs that have given bytes, and how many a second of late. `waiting`: why nothing comes,
    while that is so for a minute and more.
    """

    model_id: str
    revision: str | None = None
    source: str | None = None
    stage: Stage = "starting"
    bytes_done: int = 0
    bytes_total: int | None = None
    rate_bytes_per_s: float | None = None
    eta_s: float | None = None
    sources: dict[str, int] = field(default_factory=dict)
    waiting: str | None = None
    file: str | None = None
    files_done: int = 0
    files_total: int | None = None
    message: str = "Starting"
    error: dict[str, str] | None = None
    repaired: list[dict[str, str]] = field(default_factory=list)
    fast_kernels: dict[str, str | None] | None = None

    def write(self, models_dir: Path) -> None:
        """Replace status.json. Keeps quiet when it can't: a full disk must not hide the failure it causes."""
        record = {"schema": 1, **asdict(self), "updated_at": round(time.time(), 3)}
        new = models_dir / ".status.json.new"
        try:
            new.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(new, models_dir / "status.json")
        except OSError:
            pass
