"""docs/maintaining.md leads to files that are there, and to few of them for each task."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[3]
TEXT = (REPO / "docs" / "maintaining.md").read_text(encoding="utf-8")
# What the page leaves out of a path where it is clear; it says so for the first two.
BEGINNINGS = ("", "scripts/appliance_cli/", "services/model-init/", "services/model-init/model_init/")
PREFIXES = (*BEGINNINGS, "services/cpu-engine/", "services/openai-api/", "scripts/appliance_cli/gpu/")
# Files that are to be made, and those that git does not hold.
MADE = {"model_init/sources/NEW.py", "ui/chat_ui/languages/TAG.json", ".env"}
TASKS = re.findall(r"^\| ((?:add|change) a[^|]*|change TGI's[^|]*) \| ([^|]*) \|", TEXT, re.MULTILINE)


def paths(text: str) -> list[str]:
    """What stands in backticks and has the form of a file or folder."""
    return [
        word for word in re.findall(r"`([^`\s]+)`", text) if re.search(r"/|\.(py|js|yml|json|md|awk)$", word)
    ]


def exists(path: str) -> bool:
    return any(list(REPO.glob(f"{prefix}{path}".rstrip("/"))) for prefix in PREFIXES)


def test_the_tasks_are_there() -> None:
    assert len(TASKS) >= 10


@pytest.mark.parametrize(("task", "files"), TASKS, ids=[task for task, _ in TASKS])
def test_a_task_touches_four_files_at_the_most(task: str, files: str) -> None:
    for alternative in re.split(r"\. Another kind: ", files):
        named = paths(alternative)
        assert 1 <= len(named) <= 4, named
        assert [path for path in named if path not in MADE and not exists(path)] == []


def test_every_folder_and_file_named_is_there() -> None:
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    skipped = {*MADE, "status.json"}
    generated = (
        *("compose.engine.*.yml", ".appliance/", "backups/", ".env.files/", ".venv/"),
        *("./scripts/", "nginx/access/"),
    )
    named = [path for path in paths(prose) if path not in skipped and not path.startswith(generated)]
    assert len(named) > 20
    assert [path for path in named if not exists(path)] == []
