"""What the tests of the door share: a key, a person who is signed in, and a door with an echo behind it.

A pytest plugin: a test file takes it by ``pytest_plugins = ["harness.door_fixtures"]``. The key and the
person are taken away when the last test has run.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.stack import Stack
from harness.waiting import wait_until


@pytest.fixture(scope="session")
def api_key(guarded: Stack) -> Iterator[str]:
    """A key without limits, of the account ``key:door``."""
    key = guarded.add_key("door")
    bearer = f"Authorization: Bearer {key}"
    wait_until(
        lambda: raw_http.ask(guarded.port, "GET", "/v1/models", bearer).status == 200, "the key is known"
    )
    yield key
    guarded.appliance("keys", "revoke", "door", "--yes")


@pytest.fixture(scope="session")
def bearer(api_key: str) -> str:
    """The header line of an API client."""
    return f"Authorization: Bearer {api_key}"


@pytest.fixture(scope="session")
def person(guarded: Stack) -> Iterator[tuple[str, str]]:
    """The name and the password of somebody who may sign in."""
    name, password = "dora", "staple battery"
    guarded.add_user(name, password)
    yield name, password
    guarded.appliance("users", "remove", name, "--yes")


@pytest.fixture(scope="session")
def cookie(guarded: Stack, person: tuple[str, str]) -> str:
    """The header line of a browser in which `person` is signed in, at any door with these access files."""
    attempts: list[raw_http.Answer] = []

    def signed_in() -> bool:
        attempts.append(raw_http.ask(guarded.port, "POST", "/session", raw_http.basic(*person)))
        return attempts[-1].status == 204

    # nginx knows a new person after a second, and allows ten attempts a minute
    wait_until(signed_in, "the person is known", poll_s=1, deadline_s=8)
    return f"Cookie: {attempts[-1].headers['set-cookie'].partition(';')[0]}"


@pytest.fixture(scope="session")
def lone_door(guarded: Stack, api_key: str, cookie: str) -> Iterator[LoneDoor]:
    """nginx with the access files of `guarded`, started when they hold the key and the person."""
    with LoneDoor.beside(guarded) as door:
        yield door


@pytest.fixture
def echoing(lone_door: LoneDoor) -> LoneDoor:
    """The same door, with nothing in its record."""
    lone_door.forget()
    return lone_door
