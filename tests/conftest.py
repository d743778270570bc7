"""Fixtures for everything that needs the running appliance, and its logs beside a failed test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.stack import Stack

TESTS = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The appliance on the CPU engine with three replicas, started by `scripts/appliance up`."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    try:
        running.up()
        yield running
    finally:
        running.down()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Another appliance, with two replicas, that asks for keys and for who it is: alice may sign in.

    Tests add the keys they need; the API is closed for everybody else.
    """
    running = Stack(tmp_path_factory.mktemp("guarded"), {"UI_REPLICAS": "2"})
    try:
        running.add_key("standing")
        running.add_user("alice", "correct horse")
        running.up()
        yield running
    finally:
        running.down()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs an appliance runs in one worker, one test after the other; unit tests run beside it."""
    for item in items:
        if {"stack", "browser"} & set(item.path.relative_to(TESTS).parts[:1]):
            item.add_marker(pytest.mark.xdist_group("appliance"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.when == "call" and report.failed:
        for running in getattr(item, "funcargs", {}).values():
            if isinstance(running, Stack):
                report.sections.append((f"appliance {running.project}", running.diagnostics()))
    return report
