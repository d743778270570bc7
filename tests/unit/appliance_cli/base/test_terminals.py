"""A terminal that is not UTF-8 shows everything, the marks in letters."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from appliance_cli.base.output import MARKS, shown
from harness.cli_path import PYTHONPATH

SPEAKS = """
from appliance_cli.base.output import Output
output = Output()
for level in ("ok", "warn", "todo", "fail"):
    output.item(level, "Größe … 图")
with output.step("Working"):
    pass
output.data("→ 3 × 4")
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "utf-8"])
def test_nothing_fails_and_nothing_is_an_escape(encoding: str) -> None:
    env = {**os.environ, "PYTHONPATH": PYTHONPATH, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", SPEAKS], capture_output=True, env=env, check=False)
    said = (done.stderr + done.stdout).decode(encoding)
    assert done.returncode == 0, said
    assert "\\u" not in said
    assert ("✓" in said) == (encoding == "utf-8")
    assert "ok" in said or encoding == "utf-8"


def test_every_mark_has_letters() -> None:
    assert "?" not in shown("".join(MARKS.values()), "ascii")
