"""Fixtures for everything that needs the running appliance, and its logs beside a failed test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The appliance on the CPU engine with three replicas, started by `scripts/appliance up`."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    try:
        running.up()
        yield running
    finally:
        running.down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    fixtures = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed and isinstance(fixtures.get("stack"), Stack):
        report.sections.append(("appliance", fixtures["stack"].diagnostics()))
    return report
