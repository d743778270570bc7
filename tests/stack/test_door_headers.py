"""Who asks is said by nginx alone, every answer carries the security headers, and logs hold no secret."""

from __future__ import annotations

import json
import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor, headers_of
from harness.raw_http import Answer
from harness.routes import largest_body
from harness.stack import Stack
from harness.waiting import wait_until

pytest_plugins = ["harness.door_fixtures"]

HTML = "Accept: text/html"
JSON = "Content-Type: application/json"
FORGED = (
    *("X-User: eve", "x-user: mallory", "X_User: eve", "X-Request-ID: forged-request-id"),
    *("X-Forwarded-For: 198.51.100.7", "X-Real-IP: 198.51.100.7", "X-Forwarded-Proto: https"),
    *("Connection: close, X-Real-IP, X-User", "X-Accel-Redirect: /metrics", "X-Original-URL: /metrics"),
    *("Transfer_Encoding: chunked", "Content_Length: 99"),
)


def test_who_asks_is_said_by_nginx_alone(echoing: LoneDoor, bearer: str, cookie: str) -> None:
    """Neither the engine nor the chat sees a credential, nor a name or address that the client made up."""
    cookies = f"{cookie}; other=1"
    answers = [
        raw_http.exchange(echoing.port, raw_http.request("GET", target, bearer, cookies, *FORGED)).only
        for target in ("/v1/models", "/whoami", "/status", "/health")
    ]
    assert [answer.status for answer in answers] == [200] * 4
    for answer, seen in zip(answers, echoing.seen(), strict=True):
        headers = headers_of(seen)
        assert headers.get("x-user") == ("dora" if seen["target"] == "/whoami" else None)
        assert headers["x-request-id"] == answer.headers["x-request-id"] != "forged-request-id"
        assert headers["x-real-ip"] == headers["x-forwarded-for"] != "198.51.100.7"
        assert headers["x-forwarded-proto"] == "http"
        assert headers["host"] == "door"
        assert not headers.keys() & {
            "authorization",
            "cookie",
            "x_user",
            "transfer-encoding",
            "content-length",
        }


def test_other_headers_that_claim_an_identity_or_an_origin_end_at_the_door(
    echoing: LoneDoor, cookie: str
) -> None:
    """Gradio believes X-Forwarded-Host; proxies' credentials are credentials."""
    claims = {
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=198.51.100.7;host=evil.example",
        "X-Auth-Request-User": "eve",
        "Proxy-Authorization": "Basic eDp5",
    }
    fields = [f"{name}: {value}" for name, value in claims.items()]
    assert raw_http.ask(echoing.port, "GET", "/config", cookie, *fields).status == 200
    (seen,) = echoing.seen()
    assert not headers_of(seen).keys() & {name.lower() for name in claims}


def test_the_page_names_no_host_that_a_client_made_up(guarded: Stack, cookie: str) -> None:
    answer = raw_http.ask(guarded.port, "GET", "/config", cookie, "X-Forwarded-Host: evil.example")
    assert answer.status == 200
    assert b"evil.example" not in answer.body


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "a.b.c", "..", "A" * 3000, "YWxpY2U.9999999999.", f"YWxpY2U.9999999999.{'A' * 43}"),
        *(
            "YWxpY2U.99999999999999.x",
            "X19wcm90b19f.9999999999.x",
            "%0d%0aX-User:%20alice",
            "\xff\xfe.9999999999.x",
        ),
    ],
)
def test_a_made_up_session_is_none(guarded: Stack, echoing: LoneDoor, value: str) -> None:
    for port in (guarded.port, echoing.port):
        assert raw_http.ask(port, "GET", "/whoami", f"Cookie: {guarded.session_cookie}={value}").status == 401
    assert echoing.seen() == []


def test_a_session_is_worth_nothing_once_a_character_is_changed(echoing: LoneDoor, cookie: str) -> None:
    for at in range(cookie.index(".") - 1, len(cookie)):
        changed = f"{cookie[:at]}{'A' if cookie[at] != 'A' else 'B'}{cookie[at + 1 :]}"
        assert raw_http.ask(echoing.port, "GET", "/whoami", changed).status == 401, at
    assert raw_http.ask(echoing.port, "GET", "/whoami", cookie).status == 200


def test_the_chat_knows_the_person_by_the_session_only(guarded: Stack, cookie: str) -> None:
    answer = raw_http.ask(guarded.port, "GET", "/whoami", cookie, *FORGED[:3])
    assert answer.json == {"user": "dora"}


@pytest.mark.parametrize("route", ["x" * 3000, '"><script>', "../../", "", "%00%0d%0a"])
def test_a_made_up_seat_is_replaced(guarded: Stack, echoing: LoneDoor, cookie: str, route: str) -> None:
    answer = raw_http.ask(echoing.port, "GET", "/whoami", f"{cookie}; {guarded.seat_cookie}={route}")
    assert answer.status == 200
    assert re.fullmatch(
        rf"{guarded.seat_cookie}=[0-9a-f]{{32}}; httponly; samesite=lax; path=/",
        answer.headers["set-cookie"],
    )


def test_every_kind_of_answer_carries_the_security_headers(
    guarded: Stack, bearer: str, cookie: str, person: tuple[str, str]
) -> None:
    """On a door of its own: it uses up the address's attempts to sign in, and ends what is behind."""
    with LoneDoor.beside(guarded) as door:

        def ask(method: str, target: str, *fields: str, body: bytes = b"") -> Answer:
            return raw_http.ask(door.port, method, target, *fields, body=body)

        answers = {
            "page 200": ask("GET", "/", HTML, cookie),
            "api 200": ask("GET", "/v1/models", bearer),
            "sign-in page 200": ask("GET", "/login"),
            "signed in 204": ask("POST", "/session", raw_http.basic(*person)),
            "to sign in 303": ask("GET", "/", HTML),
            "malformed 400": ask("GET", "/%"),
            "api 401": ask("GET", "/v1/models"),
            "page 401": ask("GET", "/"),
            "wrong password 403": ask("POST", "/session", raw_http.basic(person[0], "wrong")),
            "no route 404": ask("GET", "/x"),
            "no route 404 v1": ask("GET", "/v1/x"),
            "method 405": ask("TRACE", "/"),
            "too large 413": ask("POST", "/generate", bearer, body=b"x" * (largest_body("api_tgi") + 1)),
            "too long 414": ask("GET", f"/{'x' * 9000}"),
        }
        with ThreadPoolExecutor(20) as pool:
            attempts = list(
                pool.map(lambda _: ask("POST", "/session", raw_http.basic(person[0], "x")), range(20))
            )
        answers["attempts 429"] = next(answer for answer in attempts if answer.status == 429)
        door.stop_behind()
        answers["page 503"] = ask("GET", "/", HTML, cookie)
        answers["page's parts 503"] = ask("GET", "/config", cookie)
        answers["api 503"] = ask("POST", "/v1/completions", bearer)
        answers["status 503"] = ask("GET", "/status")
        answers["health 503"] = ask("GET", "/health")
        answers["signed out 303"] = ask("POST", "/logout", cookie)

    for kind, answer in answers.items():
        assert str(answer.status) in kind.split()
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"], kind
        assert answer.headers["x-content-type-options"] == "nosniff", kind
        assert answer.headers["referrer-policy"] == "same-origin", kind
        assert "camera=()" in answer.headers["permissions-policy"], kind
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"]), kind
        assert answer.headers["server"] == "nginx", kind
        assert "strict-transport-security" not in answer.headers, kind
        if answer.status in (429, 503):
            assert int(answer.headers["retry-after"]) > 0, kind
        if answer.status in (401, 403, 404, 413, 429, 503) and kind != "page 503":
            assert "error" in answer.json or kind == "status 503", kind


def test_logs_hold_no_secret(
    guarded: Stack, api_key: str, bearer: str, cookie: str, person: tuple[str, str]
) -> None:
    """Keys, passwords, cookies and prompts, wherever a caller puts them, refused or not."""
    marker = f"secret{secrets.token_hex(8)}"
    chat = {"model": "tgi", "messages": [{"role": "user", "content": marker}], "max_tokens": 1}
    generate = {"inputs": marker, "parameters": {"max_new_tokens": 1}}
    sent = [
        _post(guarded, path, body, bearer)
        for path, body in (
            *(("/v1/chat/completions", {**chat, **more}) for more in ({}, {"stream": True}, {"top_p": 9})),
            *(("/v1/chat/completions", {**chat, more: marker}) for more in (marker, "guideline", "stop")),
            ("/v1/chat/completions", {**chat, "guideline": marker, "top_p": 9}),
            *((path, generate) for path in ("/", "/generate", "/generate_stream", "/tokenize", "/x")),
        )
    ]
    sent += [
        raw_http.ask(guarded.port, "POST", "/generate", bearer, JSON, body=f"{{{marker}".encode()),
        raw_http.ask(guarded.port, "POST", "/generate", JSON, body=marker.encode()),
        raw_http.ask(guarded.port, "GET", "/v1/models", f"Authorization: Bearer sk-{marker}"),
        raw_http.ask(guarded.port, "GET", f"/v1/models?api_key={marker}", bearer),
        raw_http.ask(guarded.port, "GET", f"/v1/models/x?api_key={marker}", bearer),
        raw_http.ask(guarded.port, "GET", "/info", bearer, f"User-Agent: {marker}", f"X-Api-Key: {marker}"),
        raw_http.ask(guarded.port, "GET", "/info", bearer, f"Referer: http://x/?{marker}", f"X-{marker}: x"),
        raw_http.ask(guarded.port, "GET", "/", f"Cookie: {guarded.session_cookie}={marker}; {marker}=x"),
        raw_http.ask(guarded.port, "GET", f"/whoami?{marker}", cookie),
        raw_http.ask(guarded.port, "POST", "/session", raw_http.basic(person[0], marker)),
        raw_http.ask(guarded.port, "POST", "/session", f"Authorization: Basic {marker}"),
        _post(guarded, "/gradio_api/queue/join", {"data": [marker]}, cookie),
    ]
    statuses = [answer.status for answer in sent]
    assert {200, 400, 401, 403, 404, 422} <= set(statuses)

    last = sent[-1].headers["x-request-id"]
    wait_until(lambda: last in _logs(guarded), "the last request is logged", deadline_s=20)
    logs = _logs(guarded)
    for secret in (marker, api_key, api_key[5:25], cookie.partition("=")[2], person[1]):
        assert secret not in logs
    assert "key:door" in logs, "what stands there instead"


def _post(stack: Stack, path: str, body: object, *fields: str) -> Answer:
    return raw_http.ask(stack.port, "POST", path, JSON, *fields, body=json.dumps(body).encode())


def _logs(stack: Stack) -> str:
    return stack.compose("logs", "--no-color", "nginx", "ui", "openai-api", "tgi").stdout
