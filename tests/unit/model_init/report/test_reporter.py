"""What status.json says of a line that is waited for."""

from __future__ import annotations

import json
from pathlib import Path

from model_init.report.console import Console
from model_init.report.reporter import Reporter
from model_init.report.status import Status


def test_waiting_ends_when_bytes_come_and_not_before(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path, Status("acme/model"), Console(as_json=True))
    reporter.begin(done=0, total=10, files_done=0, files_total=1)
    file = reporter.file("a", 10, already=4)

    def waiting() -> str | None:
        reporter.write()
        found: str | None = json.loads((tmp_path / "status.json").read_text())["waiting"]
        return found

    reporter.waits("nothing has come")
    file.progress(4)
    assert waiting() == "nothing has come"
    file.progress(5)
    assert waiting() is None
