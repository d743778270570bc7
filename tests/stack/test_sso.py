"""Single sign-on: a service that answers as nginx's auth_request expects says who may open the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor, headers_of
from harness.stack import Stack

pytest_plugins = ["harness.door_fixtures"]

SIGN_IN = "https://sign-in.example/start?to=chat"
SETTINGS = {"SSO_URL": "http://sso:4180/oauth2/auth", "SSO_SIGN_IN_URL": SIGN_IN}
VOUCHED = "Cookie: sso=yes"
HTML = "Accept: text/html,application/xhtml+xml"


@pytest.fixture(scope="module")
def shared_door(guarded: Stack, api_key: str, cookie: str) -> Iterator[LoneDoor]:
    with LoneDoor.beside(guarded, SETTINGS) as door:
        yield door


@pytest.fixture
def door(shared_door: LoneDoor) -> LoneDoor:
    shared_door.forget()
    return shared_door


def test_whom_the_service_vouches_for_is_let_in_by_that_name(door: LoneDoor) -> None:
    for method, target in (("GET", "/"), ("GET", "/whoami"), ("POST", "/gradio_api/queue/join")):
        door.forget()
        body = b"hello" if method == "POST" else b""
        answer = raw_http.ask(door.port, method, target, VOUCHED, "X-User: eve", body=body)
        assert answer.status == 200
        asked, reached = door.seen()
        assert (asked["service"], asked["method"], asked["body"]) == ("sso", "GET", "")
        assert headers_of(asked)["x-original-uri"] == target
        assert (reached["service"], reached["target"], reached["body"]) == ("ui", target, body.decode())
        assert headers_of(reached)["x-user"] == "carol"
        assert "cookie" not in headers_of(reached)


def test_everybody_else_is_sent_to_sign_in(door: LoneDoor, cookie: str) -> None:
    """Also whoever has a session of the appliance's own from before."""
    for fields in ((), ("Cookie: sso=no",), (cookie,), ("X-Auth-Request-User: carol", "X-User: carol")):
        browser = raw_http.ask(door.port, "GET", "/", HTML, *fields)
        assert (browser.status, browser.headers["location"]) == (303, "/login")
        login = raw_http.ask(door.port, "GET", "/login", HTML, *fields)
        assert (login.status, login.headers["location"]) == (303, SIGN_IN)
        script = raw_http.ask(door.port, "POST", "/gradio_api/queue/join", *fields)
        assert (script.status, script.json["error_type"]) == (401, "unauthorized")
    assert {seen["service"] for seen in door.seen()} == {"sso"}


def test_a_name_that_the_client_made_up_is_worthless(door: LoneDoor) -> None:
    forged = [f"{name}: mallory" for name in ("X-Auth-Request-User", "X-Forwarded-User", "X-User")]
    assert raw_http.ask(door.port, "GET", "/whoami", VOUCHED, *forged).status == 200
    reached = door.seen()[-1]
    assert headers_of(reached)["x-user"] == "carol"
    assert "mallory" not in headers_of(reached).values()


def test_whom_the_service_lets_in_without_a_name_stays_outside(door: LoneDoor) -> None:
    assert raw_http.ask(door.port, "GET", "/whoami", "Cookie: sso=nameless", "X-User: eve").status == 401
    assert [seen["service"] for seen in door.seen()] == ["sso"]


def test_the_question_itself_cannot_be_asked_from_outside(door: LoneDoor) -> None:
    assert raw_http.ask(door.port, "GET", "/_sso", VOUCHED).status == 404
    assert door.seen() == []


def test_api_keys_work_as_before(door: LoneDoor, bearer: str) -> None:
    assert raw_http.ask(door.port, "GET", "/v1/models", VOUCHED).status == 401
    assert raw_http.ask(door.port, "GET", "/v1/models", bearer).status == 200
    assert [seen["service"] for seen in door.seen()] == ["tgi"]
    assert raw_http.ask(door.port, "GET", "/whoami", bearer).status == 401


def test_the_name_may_come_in_another_header(guarded: Stack) -> None:
    with LoneDoor.beside(guarded, {**SETTINGS, "SSO_USER_HEADER": "X-Stub-Name"}) as door:
        assert raw_http.ask(door.port, "GET", "/whoami", VOUCHED).status == 200
        assert headers_of(door.seen()[-1])["x-user"] == "carol.stub"


def test_without_a_place_to_sign_in_nobody_is_sent_in_circles(guarded: Stack) -> None:
    with LoneDoor.beside(guarded, {"SSO_URL": SETTINGS["SSO_URL"]}) as door:
        answer = raw_http.ask(door.port, "GET", "/", HTML)
        assert (answer.status, answer.headers["location"]) == (303, "/login")
        assert raw_http.ask(door.port, "GET", "/login", HTML).status == 200


def test_without_the_service_nobody_gets_in(guarded: Stack) -> None:
    with LoneDoor.beside(guarded, SETTINGS) as door:
        assert raw_http.ask(door.port, "GET", "/whoami", VOUCHED).status == 200
        door.stop_behind()
        for fields in ((), (VOUCHED,), ("X-Auth-Request-User: carol",)):
            browser = raw_http.ask(door.port, "GET", "/", HTML, *fields)
            assert (browser.status, browser.headers["location"]) == (303, "/login")
            script = raw_http.ask(door.port, "GET", "/config", *fields)
            assert (script.status, script.json["error_type"]) == (401, "unauthorized")


def test_the_appliance_takes_its_settings(guarded: Stack) -> None:
    """The real chat behind it: the page knows the person by the name that the service gave."""
    with LoneDoor.beside(guarded) as elsewhere:
        elsewhere.lend_service(f"{guarded.project}_backend", "sso")
        recreate = ("up", "-d", "--no-deps", "--no-build", "nginx")
        guarded.compose(*recreate, env=SETTINGS)
        try:
            guarded.wait_ready()
            answer = raw_http.ask(guarded.port, "GET", "/whoami", VOUCHED)
            assert (answer.status, answer.json) == (200, {"user": "carol"})
            assert raw_http.ask(guarded.port, "GET", "/whoami").status == 401
        finally:
            guarded.compose(*recreate)
            guarded.wait_ready()
