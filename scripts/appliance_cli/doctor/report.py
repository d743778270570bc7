"""What doctor found, for people and for programs. Pure."""

from collections.abc import Sequence
from typing import Any

from appliance_cli.base import tables
from appliance_cli.base.errors import STATUS_EXIT
from appliance_cli.host.finding import Finding

WORDS = {"ok": "ok", "warn": "look", "todo": "up does it", "fail": "wrong"}
WORST_FIRST = ("fail", "todo", "warn", "ok")


def content(findings: Sequence[Finding]) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "worst": worst(findings),
        "findings": [
            {
                "check": each.check,
                "severity": each.level,
                "expected": each.expected or None,
                "found": each.found,
                "remedy": each.remedy or None,
            }
            for each in findings
        ],
    }


def table(findings: Sequence[Finding]) -> str:
    """What is right in a line each, then what is not, the worst first, with what to do."""
    rows = [(each.check, WORDS[each.level], each.found) for each in findings]
    wrong = [each for level in WORST_FIRST[:-1] for each in findings if each.level == level]
    lines = tables.table(("CHECK", "", "FOUND"), rows).splitlines()
    for each in wrong:
        lines += ["", f"{each.check}: {each.found}"]
        lines += [f"  expected {each.expected}"] if each.expected else []
        lines += [
            f"  {'do' if index == 0 else '':<8} {line}" for index, line in enumerate(each.remedy.splitlines())
        ]
    return "\n".join(lines)


def worst(findings: Sequence[Finding]) -> str:
    """The worst level of all."""
    levels = {each.level for each in findings}
    return next((level for level in WORST_FIRST if level in levels), "ok")


def exit_code(findings: Sequence[Finding], *, quick: bool = False) -> int:
    """0 when nothing is wrong (what only deserves a look does not count), else as `status` has it.

    What `up` will supply, such as a Docker engine, is wrong too, except to ``quick``: whoever asks only that
    is about to run it.
    """
    wrong = ("fail",) if quick else ("fail", "todo")
    return STATUS_EXIT.failed if worst(findings) in wrong else STATUS_EXIT.ready
