"""The list itself: complete in both languages, and the pages that are written from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance_cli.doctor import troubleshooting
from appliance_cli.doctor.troubles import SECTIONS, TROUBLES, Trouble
from harness.cli_path import SCRIPTS

REPO = Path(__file__).resolve().parents[4]
# Seen by callers of the API, not by doctor.
TOLD_ELSEWHERE = {"overloaded", "not-yet", "no-key", "own-limit", "open-door"}


def test_no_name_is_given_twice() -> None:
    assert sum(len(section) for section in SECTIONS.values()) == len(TROUBLES)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=list(TROUBLES))
def test_each_is_told_in_both_languages(trouble: Trouble) -> None:
    assert all((trouble.see, trouble.means, trouble.do, *trouble.zh))
    means, do = trouble.zh
    assert re.search("[\\u4e00-\\u9fff]", means)
    assert re.search("[\\u4e00-\\u9fff]", do) or do.startswith("`")
    for code in re.findall(r"`(?:sudo|\./scripts)[^`]*`", trouble.do):
        assert code in do or "SERVICE" in code or "MIRROR" in code, (
            f"the command is missing in Chinese: {code}"
        )


def test_each_is_looked_for() -> None:
    """By a log's line, or by a judgement that gives its name."""
    sources = "".join(
        path.read_text()
        for folder in ("host", "doctor")
        for path in (SCRIPTS / "appliance_cli" / folder).glob("*.py")
    )
    unseen = [check for check, trouble in TROUBLES.items() if not trouble.log and f'"{check}"' not in sources]
    assert set(unseen) == TOLD_ELSEWHERE


def test_the_pages_are_as_the_list_is() -> None:
    for name, text in (("docs", troubleshooting.english()), ("docs/zh", troubleshooting.chinese())):
        written = (REPO / name / "troubleshooting.md").read_text(encoding="utf-8")
        assert written == text, "run python -m appliance_cli.doctor.troubleshooting"


def test_readmes_lead_to_them() -> None:
    assert "(docs/troubleshooting.md)" in (REPO / "README.md").read_text(encoding="utf-8")
    assert "(docs/zh/troubleshooting.md)" in (REPO / "README.zh-CN.md").read_text(encoding="utf-8")
