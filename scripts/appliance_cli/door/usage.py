"""Who used how much, day by day: reads what nginx counts and adds it up. Counts nothing itself.

nginx keeps ``/state/usage.json``: ``{"<day>|<account>|<counter>": {"value": n}}``, days in UTC, or months (or
years) of what is older; accounts ``key:NAME``, ``user:NAME`` or `NOBODY` (nobody was asked who).
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.process import Answer
from appliance_cli.base.tables import table
from appliance_cli.compose import commands as compose
from appliance_cli.compose import runner
from appliance_cli.compose.client import docker_client
from appliance_cli.compose.volumes import USAGE
from appliance_cli.config.appliance import Appliance

FILE = "/state/usage.json"
NOBODY = "-"
_ENTRY = re.compile(r"(\d{4}(?:-\d{2}){0,2})\|([^|]+)\|(\w+)")
_ABSENT = re.compile(r"no such file", re.IGNORECASE)
_NOT_RUNNING = re.compile(r"is not running|no container found", re.IGNORECASE)


@dataclass(frozen=True)
class Counts:
    """What was used; ``refused`` requests are not among ``requests``' answers but were made."""

    requests: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    refused: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in COUNTERS))


COUNTERS = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True)
class Row:
    """One account's day, or month or year; ``day`` is its first, ``name`` says how long it is."""

    day: date
    account: str
    counts: Counts
    name: str


def fetch(appliance: Appliance) -> str:
    """The counters as nginx keeps them, whether it runs or not; ``{}`` while nothing was ever counted.

    Raises StepFailed when they cannot be read.
    """
    answer = runner.ask(appliance, compose.in_nginx(appliance, "cat", FILE), timeout=60)
    if _NOT_RUNNING.search(answer.err):
        if not docker_client().volumes.list(filters={"name": f"{appliance.project}_{USAGE}"}):
            return "{}"
        answer = runner.ask(appliance, compose.once_in_nginx(appliance, "cat", FILE), timeout=120)
    if answer.code == 0:
        return answer.out
    if _ABSENT.search(answer.err):
        return "{}"
    raise _unreadable(answer)


def parse(text: str) -> list[Row]:
    """Every account's days, newest first. What is not a counter of ours is passed over.

    Raises StepFailed when the text is no JSON object.
    """
    try:
        content = json.loads(text or "{}")
    except ValueError as error:
        raise _unreadable(Answer(0, "", str(error))) from error
    if not isinstance(content, dict):
        raise _unreadable(Answer(0, "", f"a {type(content).__name__}"))
    found: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for name, value in content.items():
        match = _ENTRY.fullmatch(name)
        count = value.get("value") if isinstance(value, dict) else None
        if match and match[3] in COUNTERS and isinstance(count, int | float):
            found[match[1], match[2]][match[3]] = int(count)
    rows = [
        Row(date.fromisoformat(f"{name}-01-01"[:10]), account, Counts(**counts), name)
        for (name, account), counts in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.day.toordinal(), row.account))


def since(rows: Iterable[Row], first: date) -> list[Row]:
    """The rows from a day on; a month that began before it is not among them."""
    return [row for row in rows if row.day >= first]


def first_day(today: date, days: int) -> date:
    """The first of the last ``days`` days, today included."""
    return today - timedelta(days=days - 1)


def report(rows: Iterable[Row]) -> dict[str, Any]:
    """What ``--json`` prints: every day, each account's total, and the total of all."""
    rows = list(rows)
    days = [{"day": row.name, "account": row.account, **_values(row.counts)} for row in rows]
    by_account = {account: _values(counts) for account, counts in _totals(rows).items()}
    return {"days": days, "accounts": by_account, "total": _values(_sum(rows))}


def text(rows: Iterable[Row]) -> str:
    """The same for people."""
    rows = list(rows)
    numbers = ("REQUESTS", "PROMPT TOKENS", "GENERATED TOKENS", "REFUSED")
    lines = [[row.name, row.account, *_cells(row.counts)] for row in rows]
    lines += [["total", account, *_cells(counts)] for account, counts in _totals(rows).items()]
    lines.append(["total", "all", *_cells(_sum(rows))])
    return table(("DAY", "ACCOUNT", *numbers), lines, numbers=numbers)


def _totals(rows: list[Row]) -> dict[str, Counts]:
    totals: dict[str, Counts] = {}
    for row in rows:
        totals[row.account] = totals.get(row.account, Counts()) + row.counts
    return dict(sorted(totals.items()))


def _sum(rows: list[Row]) -> Counts:
    return sum((row.counts for row in rows), Counts())


def _values(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNTERS}


def _cells(counts: Counts) -> list[str]:
    return [f"{getattr(counts, name):,}" for name in COUNTERS]


def _unreadable(answer: Answer) -> StepFailed:
    words = (answer.err or answer.out).strip().splitlines()
    return StepFailed(
        "The usage cannot be read",
        expected=f"nginx's counters in {FILE}",
        found=words[-1] if words else f"exit code {answer.code}",
        remedy="see ./scripts/appliance status and ./scripts/appliance logs nginx",
    )
