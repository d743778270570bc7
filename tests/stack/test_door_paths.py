"""Closed by default: a list of routes passes, to whoever may; no spelling of a path leads around that."""

from __future__ import annotations

import json

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.raw_http import Answer
from harness.routes import Route, routes
from harness.stack import Stack
from harness.waiting import wait_until

pytest_plugins = ["harness.door_fixtures"]


POSTED = ("page_action", "page_question", "page_file")


def _asked(route: Route) -> str:
    """How a client asks for it."""
    method = "POST" if route.counted or route.kind in POSTED else "GET"
    if route.kind == "api_root":
        return "POST /"
    return f"{method} {route.path}{'x' if route.match == '^~' else ''}"


AT_THE_DOOR = [route for route in routes() if route.where == "door"]
API = [_asked(route) for route in AT_THE_DOOR if route.kind.startswith("api_")]
PAGE = [_asked(route) for route in AT_THE_DOOR if route.kind.startswith("page")]
EVERYBODYS = ("GET /status", "GET /health", "GET /login", "GET /favicon.ico")
CLOSED = (
    # TGI's
    *(
        "/metrics",
        "/docs/",
        "/api-doc/openapi.json",
        "/invocations",
        "/vertex",
        "/ping",
    ),
    *("/v1", "/v1/", "/v1/embeddings", "/v1/chat", "/v1/chat/completions/", "/generate/x"),
    # Gradio's
    *("/gradio_api", "/gradio_api/", "/gradio_api/info", "/gradio_api/api_info", "/gradio_api/call/respond"),
    *("/gradio_api/upload", "/gradio_api/upload_progress", "/gradio_api/runs", "/gradio_api/openapi.json"),
    *(
        "/gradio_api/login_check",
        "/gradio_api/run/respond",
        "/gradio_api/api/predict",
        "/gradio_api/stream/x/y/z",
    ),
    *("/gradio_api/proxy=http://tgi:3000/metrics", "/gradio_api/component_server", "/gradio_api/mcp/"),
    *(
        "/gradio_api/vibe-code",
        "/gradio_api/heartbeat/x",
        "/gradio_api/startup-events",
        "/gradio_api/token",
        "/gradio_api/user",
    ),
    *("/monitoring", "/login_check", "/token", "/user", "/robots.txt", "/file=x", "/proxy=x", "/queue/join"),
    # nginx's and the chat's own
    *("/_sso", "/_engine_root", "/engine-unavailable/openai", "/unavailable.html", "/login.html", "/healthz"),
    *("/.env", "/.git/config", "/access/keys.json", "/state/usage.json", "/nginx_status", "/x"),
)
# What the caller writes, and the listed route that it is; None: refused, or no route.
SPELLINGS: dict[str, str | None] = {
    "//info": "/info",
    "/./info": "/info",
    "/x/../info": "/info",
    "/x/%2e%2e/info": "/info",
    "/x/%2E./info": "/info",
    "/%69nfo": "/info",
    "/%2finfo": "/info",
    "/v1//models": "/v1/models",
    "/v1%2fmodels": "/v1/models",
    "/assets/../v1/./models": "/v1/models",
    "/gradio_api/heartbeat/../../info": "/info",
    "http://door/info": "/info",
    "http://evil.example/info": "/info",
    "http://tgi:3000/info": "/info",
    "/info#/metrics": "/info",
    "/info?/../metrics": "/info?/../metrics",
    "/assets/../whoami": "/whoami",
    "//whoami": "/whoami",
    "/status/../whoami": "/whoami",
    "/login/../whoami": "/whoami",
    "/health/%2e%2e/info": "/info",
    "/gradio_api//app_id": "/gradio_api/app_id",
    "/assets/%252e%252e/metrics": "/assets/%252e%252e/metrics",
    "/assets/%3f/x": "/assets/%3F/x",
    "/assets/a%0d%0aX-User:%20eve": "/assets/a%0D%0AX-User:%20eve",
    "/assets/a%0ab": "/assets/a%0Ab",
    "/assets/..;/metrics": "/assets/..;/metrics",
    "/assets/..%5c..%5cmetrics": "/assets/..%5C..%5Cmetrics",
    "/assets/%c0%ae%c0%ae/metrics": "/assets/%C0%AE%C0%AE/metrics",
    "/gradio_api/file=../x": "/gradio_api/file=../x",
    "/metrics?": None,
    "//metrics": None,
    "/%6detrics": None,
    "/info/../metrics": None,
    "/assets/../metrics": None,
    "/assets/%2e%2e/metrics": None,
    "/assets/..%2fmetrics": None,
    "/assets/.%2e/gradio_api/info": None,
    "/gradio_api/heartbeat/..%2finfo": None,
    "/gradio_api/heartbeat/%2e%2e/call/respond": None,
    "/gradio_api/queue/join/..%2f..%2finfo": None,
    "/status/../metrics": None,
    "/status/..%2f_sso": None,
    "/login/%2e%2e/_engine_root": None,
    "http://door/metrics": None,
    "http://nginx:8088/metrics": None,
    "http://127.0.0.1:8081/healthz": None,
    "/%25%36%64etrics": None,
    "/%252e%252e/info": None,
    "/INFO": None,
    "/Info": None,
    "/V1/models": None,
    "/ASSETS/x": None,
    "/info/": None,
    "/info//": None,
    "/info.": None,
    "/info..": None,
    "/info/.": None,
    "/info%2f": None,
    "/info%20": None,
    "/info%00": None,
    "/info%0a": None,
    "/info%0d": None,
    "/info%0d%0aX-User:%20eve": None,
    "/info;x=1": None,
    "/info;/../metrics": None,
    "/info\\": None,
    "/info%5c": None,
    "\\info": None,
    "/\\info": None,
    "/..": None,
    "/../info": None,
    "/%2e%2e/info": None,
    "/%": None,
    "/%zz": None,
    "/%u0069nfo": None,
    "*": None,
    "info": None,
    "ftp:/info": None,
    "/whoami/": None,
    "/whoami%00": None,
    "/whoami;x": None,
    "/WhoAmI": None,
    "/" + "x" * 9000: None,
}


def _ask(stack: Stack, route: str, *fields: str) -> Answer:
    method, _, target = route.partition(" ")
    return raw_http.ask(stack.port, method, target, *fields)


def _upstreams(stack: Stack, answers: list[Answer]) -> dict[str, str]:
    """Who answered, by request id, from the access log; empty where nginx did."""
    wanted = {answer.headers["x-request-id"] for answer in answers}
    found: dict[str, str] = {}

    def all_logged() -> bool:
        lines = stack.container("nginx").logs().decode().splitlines()
        entries = [json.loads(line) for line in lines if line.startswith('{"time"')]
        found.update({entry["id"]: entry["upstream"] for entry in entries if entry["id"] in wanted})
        return found.keys() == wanted

    wait_until(all_logged, "every request is in the access log", deadline_s=10)
    return found


def test_the_api_needs_a_key(guarded: Stack, bearer: str, cookie: str) -> None:
    refused = [_ask(guarded, route, *fields) for route in API for fields in ((), (cookie,))]
    for route, answer in zip((route for route in API for _ in range(2)), refused, strict=True):
        if route == "POST /v1/chat/completions" or route.startswith(("POST /v1/", "GET /v1/")):
            assert answer.json["error"]["code"] == "invalid_api_key"
        else:
            assert answer.json["code"] == "unauthorized"
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    admitted = [_ask(guarded, route, bearer) for route in API]
    assert all(answer.status in (200, 400, 404, 415, 422) for answer in admitted), "the engine's own answers"

    assert set(_upstreams(guarded, refused).values()) == {""}
    assert "" not in _upstreams(guarded, admitted).values()


def test_the_page_needs_a_session(guarded: Stack, bearer: str, cookie: str) -> None:
    html = "Accept: text/html,application/xhtml+xml"
    refused = [
        _ask(guarded, route, *fields) for route in PAGE if route != "POST /" for fields in ((), (bearer,))
    ]
    assert {answer.status for answer in refused} == {401}
    assert {answer.json["code"] for answer in refused} == {"unauthorized"}
    sent_away = [_ask(guarded, route, html) for route in PAGE if route.startswith("GET")]
    assert {(answer.status, answer.headers["location"]) for answer in sent_away} == {(303, "/login")}
    admitted = [_ask(guarded, route, cookie) for route in PAGE if route != "GET /gradio_api/queue/data"]
    assert not {answer.status for answer in admitted} & {401, 303, 502, 503}

    assert set(_upstreams(guarded, refused + sent_away).values()) == {""}
    assert "" not in _upstreams(guarded, admitted).values()


def test_anybody_may_ask_whether_it_works_and_sign_in(guarded: Stack) -> None:
    assert {_ask(guarded, route).status for route in EVERYBODYS} == {200}


def test_nothing_else_passes_whoever_asks(guarded: Stack, bearer: str, cookie: str) -> None:
    answers = {}
    for path in CLOSED:
        for method in ("GET", "POST"):
            for fields in ((), (bearer, cookie)):
                answers[method, path, fields] = raw_http.ask(guarded.port, method, path, *fields)
    for (method, path, _), answer in answers.items():
        assert answer.status == 404, f"{method} {path}"
        error = answer.json["error"]
        assert (error["message"] if path.startswith("/v1/") else error).startswith("No such route"), path
    assert set(_upstreams(guarded, list(answers.values())).values()) == {""}


def test_no_spelling_leads_around_the_checks(guarded: Stack) -> None:
    """Without credentials: refused, or exactly what the plain path is answered."""
    answers = {target: raw_http.ask(guarded.port, "GET", target) for target in SPELLINGS}

    assert set(_upstreams(guarded, list(answers.values())).values()) == {""}
    for target, route in SPELLINGS.items():
        expected = {400, 404, 414} if route is None else {401}
        assert answers[target].status in expected, target[:80]


def test_with_credentials_a_spelling_leads_only_where_the_plain_path_does(
    echoing: LoneDoor, bearer: str, cookie: str
) -> None:
    """What is behind the door is sent the path that nginx checked, never the caller's spelling of it."""
    for target, route in SPELLINGS.items():
        echoing.forget()
        answer = raw_http.ask(echoing.port, "GET", target, bearer, cookie)
        reached = [request["target"] for request in echoing.seen()]
        assert reached == ([] if route is None else [route]), target[:80]
        assert answer.status in ({400, 404, 414} if route is None else {200}), target[:80]


def test_a_spelling_of_the_root_is_no_way_to_tgis_post(guarded: Stack, cookie: str) -> None:
    for target in ("/", "//", "/.", "/%2f", "/x/..", "/assets/..", "http://door", "http://door/"):
        answer = raw_http.ask(guarded.port, "POST", target, cookie)
        assert answer.status == 401, target
        assert "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/etc/passwd",
            "../../../etc/passwd",
            "..%2f..%2fetc%2fpasswd",
            "%2e%2e/%2e%2e/etc/passwd",
            "/proc/self/environ",
        ),
        *(
            "/models/status.json",
            "chat_ui/app.py",
            "http://tgi:3000/metrics",
            "https:%5c%5cevil.example/",
            "x",
        ),
    ],
)
def test_gradios_file_route_gives_no_file_and_sends_nobody_away(
    guarded: Stack, cookie: str, path: str
) -> None:
    answer = raw_http.ask(guarded.port, "GET", f"/gradio_api/file={path}", cookie)
    assert answer.status in (400, 403, 404)
    assert "location" not in answer.headers
