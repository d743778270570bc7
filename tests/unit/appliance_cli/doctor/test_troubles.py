"""The list itself: complete in both languages, and the pages that are written from it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance_cli.doctor import troubleshooting
from appliance_cli.doctor.troubles import SECTIONS, TROUBLES, Trouble
from harness.cli_path import SCRIPTS

# By the name of what is called: at which place, and under which name, it is given the check.
JUDGEMENTS = {
    "Finding": (4, "check"),
    "_named": (0, "check"),
    "Symptom": (1, "check"),
    "Place": (0, "kind"),
}
REPO = Path(__file__).resolve().parents[4]


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
    """By a log's line, or by a judgement that is given its name; but for those that are told elsewhere."""
    trees = [
        ast.parse(path.read_text())
        for folder in ("host", "doctor")
        for path in (SCRIPTS / "appliance_cli" / folder).glob("*.py")
    ]
    judged = {name for tree in trees for name in names_of_judgements(tree)}
    unseen = {check for check, trouble in TROUBLES.items() if not trouble.log and check not in judged}
    assert unseen == {check for check, trouble in TROUBLES.items() if trouble.elsewhere}


def names_of_judgements(tree: ast.Module) -> Iterator[str]:
    """What a finding, or a table of them, is given for its check; not what merely stands in the file."""
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id in JUDGEMENTS:
            place, name = JUDGEMENTS[call.func.id]
            given = [each.value for each in call.keywords if each.arg == name]
            for value in given or call.args[place : place + 1]:
                value = constants.get(value.id, value) if isinstance(value, ast.Name) else value
                yield from (
                    str(part.value)
                    for part in ast.walk(value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )


def test_the_pages_are_as_the_list_is() -> None:
    for name, text in (("docs", troubleshooting.english()), ("docs/zh", troubleshooting.chinese())):
        written = (REPO / name / "troubleshooting.md").read_text(encoding="utf-8")
        assert written == text, "run python -m appliance_cli.doctor.troubleshooting"


def test_readmes_lead_to_them() -> None:
    assert "(docs/troubleshooting.md)" in (REPO / "README.md").read_text(encoding="utf-8")
    assert "(docs/zh/troubleshooting.md)" in (REPO / "README.zh-CN.md").read_text(encoding="utf-8")
