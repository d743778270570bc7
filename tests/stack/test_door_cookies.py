"""Two appliances on one host: a browser keeps the cookies of both, since cookies know no port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from harness.lone_door import LoneDoor
from harness.stack import Stack

pytest_plugins = ["harness.door_fixtures"]


@pytest.fixture
def doors(guarded: Stack, person: tuple[str, str], cookie: str) -> Iterator[tuple[LoneDoor, LoneDoor]]:
    """Two doors that know the same person, under names of their own; `cookie` says that he is known."""
    with (
        LoneDoor.beside(guarded, {"APPLIANCE_NAME": "one"}) as one,
        LoneDoor.beside(guarded, {"APPLIANCE_NAME": "one-2"}) as two,
    ):
        yield one, two


def test_two_appliances_on_one_host_leave_each_others_cookies_alone(
    doors: tuple[LoneDoor, LoneDoor], person: tuple[str, str]
) -> None:
    one, two = doors
    with requests.Session() as browser:
        for door in doors:
            signed_in = browser.post(f"{door.url}/session", auth=person, timeout=10)
            assert signed_in.status_code == 204
        seats = [_seat(browser, door) for door in doors]
        assert [_seat(browser, door) for door in doors] == seats, "who has one is given no other"
        assert [_status(browser, door) for door in doors] == [200, 200]

        browser.post(f"{two.url}/logout", allow_redirects=False, timeout=10)
        assert [_status(browser, door) for door in doors] == [200, 401]
        browser.post(f"{two.url}/session", auth=person, timeout=10)
        browser.post(f"{one.url}/logout", allow_redirects=False, timeout=10)
        assert [_status(browser, door) for door in doors] == [401, 200]


def test_a_name_that_no_cookie_can_carry_is_refused(guarded: Stack) -> None:
    with (
        pytest.raises(AssertionError, match="APPLIANCE_NAME: expected small letters"),
        LoneDoor.beside(guarded, {"APPLIANCE_NAME": "a;b"}),
    ):
        pass


def test_the_health_check_uses_no_proxy(guarded: Stack) -> None:
    """Docker's client puts the host's proxies into every container."""
    nowhere = "http://192.0.2.1:9"
    proxies = {name: nowhere for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")}
    with LoneDoor.beside(guarded, proxies) as door:
        assert door.run("printenv", "http_proxy") == (0, f"{nowhere}\n")
        assert door.run("/etc/nginx/healthcheck.sh") == (0, "ok\n")


def _seat(browser: requests.Session, door: LoneDoor) -> list[tuple[str, str]]:
    """What the door's answer says about the replica that serves this browser."""
    return browser.get(f"{door.url}/whoami", timeout=10).cookies.items()


def _status(browser: requests.Session, door: LoneDoor) -> int:
    return browser.get(f"{door.url}/whoami", timeout=10).status_code
