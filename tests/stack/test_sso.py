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
        assert (script.status, script.json["code"]) == (401, "unauthorized")
    assert {seen["service"] for seen in door.seen()} == {"sso"}


def test_a_name_that_the_client_made_up_is_worthless(door: LoneDoor) -> None:
    forged = [f"{name}: mallory" for name in ("X-Auth-Request-User", "X-Forwarded-User", "X-User")]
    assert raw_http.ask(door.port, "GET", "/whoami", VOUCHED, *forged).status == 200
    reached = door.seen()[-1]
    assert headers_of(reached)["x-user"] == "carol"
    assert "mallory" not in headers_of(reached).values()


def test_the_service_hears_from_the_door_alone_what_it_decides_by(door: LoneDoor) -> None:
    """Whatever a client says of who it is, where it comes from and what it wants ends at the door."""
    forged = {
        **{name: "mallory" for name in ("X-Auth-Request-User", "X-Forwarded-User", "X-Forwarded-Email")},
        **{name: "mallory" for name in ("X-Forwarded-Groups", "X-Forwarded-Preferred-Username")},
        **{name: "mallory" for name in ("X-Auth-Request-Email", "X-Authenticated-User", "Remote-User")},
        **{name: "mallory" for name in ("Remote-Groups", "X-Remote-User", "X-User", "X-Webauth-User")},
        **{name: "Basic bWFsbG9yeTp4" for name in ("Authorization", "Proxy-Authorization")},
        **{name: "203.0.113.9" for name in ("X-Real-IP", "X-Forwarded-For", "True-Client-IP", "Client-IP")},
        **{name: "203.0.113.9" for name in ("CF-Connecting-IP", "X-Client-IP", "X-Cluster-Client-IP")},
        "Forwarded": "for=203.0.113.9;host=elsewhere.example;proto=https",
        **{name: "https" for name in ("X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Scheme")},
        **{name: "elsewhere.example" for name in ("X-Forwarded-Host", "X-Forwarded-Server", "X-Host")},
        **{name: "/public" for name in ("X-Forwarded-Uri", "X-Original-URI", "X-Rewrite-URL")},
        **{name: "/public" for name in ("X-Forwarded-Path", "X-Forwarded-Prefix")},
        "X-Original-URL": "https://elsewhere.example/public",
        **{name: "OPTIONS" for name in ("X-Forwarded-Method", "X-Original-Method")},
        "X-HTTP-Method-Override": "OPTIONS",
        "X-Forwarded-Port": "443",
        "X-Made-Up": "mallory",
    }
    fields = [f"{name}: {value}" for name, value in forged.items()]
    target = "/whoami?a=1&b=%2F"
    assert raw_http.ask(door.port, "GET", target, VOUCHED, HTML, *fields).status == 200
    asked, _ = door.seen()
    headers = headers_of(asked)
    address = headers.pop("x-real-ip")
    assert address != "203.0.113.9"
    assert headers.pop("x-request-id")
    assert headers == {
        "host": "sso:4180",
        "cookie": "sso=yes",
        "accept": HTML.partition(": ")[2],
        "x-forwarded-for": address,
        "x-forwarded-proto": "http",
        "x-forwarded-host": "door",
        "x-forwarded-method": "GET",
        "x-forwarded-uri": target,
        "x-original-method": "GET",
        "x-original-uri": target,
        "x-original-url": f"http://door{target}",
    }


def test_the_service_hears_the_method_and_the_name_that_the_operator_gave(guarded: Stack) -> None:
    with LoneDoor.beside(guarded, {**SETTINGS, "SSO_HOST": "chat.example"}) as door:
        answer = raw_http.ask(door.port, "POST", "/gradio_api/queue/join", VOUCHED, body=b"hello")
        assert answer.status == 200
        headers = headers_of(door.seen()[0])
    assert headers["x-original-method"] == headers["x-forwarded-method"] == "POST"
    assert headers["x-forwarded-host"] == "chat.example"
    assert headers["x-original-url"] == "http://chat.example/gradio_api/queue/join"


def test_whom_the_service_lets_in_without_a_name_stays_outside(door: LoneDoor) -> None:
    assert raw_http.ask(door.port, "GET", "/whoami", "Cookie: sso=nameless", "X-User: eve").status == 401
    assert [seen["service"] for seen in door.seen()] == ["sso"]


def test_the_question_itself_cannot_be_asked_from_outside(door: LoneDoor) -> None:
    assert raw_http.ask(door.port, "GET", "/_sso", VOUCHED).status == 404
    assert door.seen() == []


def test_api_keys_work_as_before(door: LoneDoor, bearer: str) -> None:
    assert raw_http.ask(door.port, "GET", "/v1/models", VOUCHED).status == 401
    assert raw_http.ask(door.port, "GET", "/v1/models", bearer).status == 200
    assert [seen["service"] for seen in door.seen()] == ["openai-api"]
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
            assert (script.status, script.json["code"]) == (401, "unauthorized")


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
