"""Fixtures for everything that needs the running appliance, and its logs beside a failed test."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator

import pytest

from harness.stack import Stack

# A shell starts what runs in its background with Ctrl-C ignored, and every child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The appliance on the CPU engine with three replicas, started by `scripts/appliance up`."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        running.up()
        yield running


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Another appliance, with two replicas, that asks for keys and for who it is: alice may sign in.

    Tests add the keys they need; the API is closed for everybody else.
    """
    with Stack(tmp_path_factory.mktemp("guarded"), {"UI_REPLICAS": "2"}) as running:
        running.add_key("standing")
        running.add_user("alice", "correct horse")
        running.up()
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        for running in getattr(item, "funcargs", {}).values():
            if isinstance(running, Stack):
                report.sections.append((f"appliance {running.project}", running.diagnostics()))
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that are marked `long`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out unless they are asked for."""
    long = [item for item in items if item.get_closest_marker("long")]
    config.stash[LONG] = len(long)
    if long and not config.getoption("--long"):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    count = config.stash[LONG]
    if config.getoption("--long"):
        return [f"marked `long`: {count or 'none here'}"]
    return [f"marked `long`, left out without --long: {count}"] if count else []
