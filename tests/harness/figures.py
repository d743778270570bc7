"""What nginx says about what happened: usage by account, the figures for Prometheus, the access log.

Owns the reading of them, as strict as their formats. Knows nothing of what was asked.
"""

from __future__ import annotations

import json
import re
from typing import Any

from harness.stack import Stack, said_inside
from harness.waiting import wait_until

NOTHING = {"requests": 0, "prompt_tokens": 0, "generated_tokens": 0, "refused": 0}
_TYPE = re.compile(r"# TYPE ([a-z_]+) (counter|gauge|histogram)")
_LABEL = r'[a-z_]+="[^"\\\n]*"'
_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_SERIES = re.compile(rf"([a-z_]+)(\{{{_LABEL}(?:,{_LABEL})*\}})? ({_NUMBER})")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
_ASK = "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1], timeout=20).read())"


def usage(stack: Stack) -> dict[str, dict[str, int]]:
    """Each account's total, as the operator sees it."""
    done = stack.appliance("usage", "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["accounts"])


def used(stack: Stack, account: str) -> dict[str, int]:
    """One account's total; zeros before its first request."""
    return usage(stack).get(account, NOTHING)


def metrics_text(stack: Stack) -> str:
    """What Prometheus scrapes, asked from where Prometheus stands."""
    inside = stack.containers("ui")[0]
    return said_inside(inside, "python3", "-c", _ASK, "http://nginx:8088/metrics")


def metrics(stack: Stack) -> dict[str, float]:
    """Every series, by its name with its labels.

    Raises:
        AssertionError: on a line that is not in the exposition format, or not a finite number.
    """
    return parse(metrics_text(stack))


def parse(text: str) -> dict[str, float]:
    """The series of an exposition text; see `metrics`."""
    assert text.endswith("\n")
    types: dict[str, str] = {}
    found: dict[str, float] = {}
    for line in text.splitlines():
        if declared := _TYPE.fullmatch(line):
            assert declared[1] not in types, f"declared twice: {line!r}"
            types[declared[1]] = declared[2]
            continue
        series = _SERIES.fullmatch(line)
        assert series, f"not a line of the exposition format: {line!r}"
        family = series[1] if series[1] in types else _SUFFIX.sub("", series[1])
        assert family in types, f"before its type: {line!r}"
        assert family == series[1] or types[family] == "histogram", f"a suffix without a histogram: {line!r}"
        name = series[1] + (series[2] or "")
        assert name not in found, f"twice: {name}"
        found[name] = float(series[3])
    return found


def running(stack: Stack) -> dict[str, float]:
    """The requests in flight, by account, without those that have none."""
    gauge = re.compile(r'appliance_running\{account="(.*)"\}')
    matches = {gauge.fullmatch(name): value for name, value in metrics(stack).items()}
    return {match[1]: value for match, value in matches.items() if match and value != 0}


def wait_idle(stack: Stack, account: str) -> None:
    """Waits until nothing of the account is in flight."""
    wait_until(lambda: account not in running(stack), f"nothing of {account} is in flight")


def log_entries(stack: Stack) -> list[dict[str, Any]]:
    """The access log: every line that is no message of nginx itself."""
    return [json.loads(line) for line in nginx_log(stack).splitlines() if line.startswith("{")]


def log_entry(stack: Stack, request_id: str) -> dict[str, Any]:
    """The line of one request, once it is there."""
    found: list[dict[str, Any]] = []

    def logged() -> bool:
        found[:] = [entry for entry in log_entries(stack) if entry["id"] == request_id]
        return bool(found)

    wait_until(logged, f"the request {request_id} is in the access log", deadline_s=30)
    (entry,) = found
    return entry


def nginx_log(stack: Stack) -> str:
    """Everything that nginx wrote: access and error log."""
    return stack.container("nginx").logs().decode()
