"""Signing in to the page, as HTTP: passwords, the cookie that nothing can be changed in, and its end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.stack import Stack
from harness.waiting import wait_until

pytest_plugins = ["harness.door_fixtures"]

PASSWORD = "correct horse"
HTML = {"Accept": "text/html,application/xhtml+xml"}
WEEK_S = 7 * 86400
TRY = """
import base64, json, sys, urllib.error, urllib.request
value = "Basic " + base64.b64encode(":".join(sys.argv[1:]).encode()).decode()
request = urllib.request.Request("http://nginx:8080/session", method="POST", headers={"Authorization": value})
try:
    answer = urllib.request.urlopen(request, timeout=60)
except urllib.error.HTTPError as refused:
    answer = refused
headers = {name.lower(): value for name, value in answer.headers.items()}
print(json.dumps([answer.status, headers, answer.read().decode()]))
"""


@dataclass(frozen=True)
class Attempt:
    """What came of a password."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def cookie(self) -> str:
        assert self.status == 204, self.body
        return self.headers["set-cookie"].partition(";")[0].partition("=")[2]


@pytest.fixture(scope="module")
def office(guarded: Stack) -> Iterator[LoneDoor]:
    """A door with the same access files that answers others than its own machine, too."""
    with LoneDoor.beside(guarded, {"BIND_ADDRESS": "0.0.0.0"}) as door:
        yield door


def sign_in(door: LoneDoor, name: str, password: str) -> Attempt:
    """Tries a password from another address than this machine's."""
    return Attempt(*json.loads(door.said_behind("python3", "-c", TRY, name, password)))


def enters(stack: Stack, session: str) -> bool:
    """Whether a browser with this cookie gets the page's configuration."""
    answer = requests.get(
        f"{stack.url}/config", headers={"Cookie": f"{stack.session_cookie}={session}"}, timeout=30
    )
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


@pytest.fixture(scope="module")
def session(office: LoneDoor) -> str:
    """Alice's cookie."""
    return sign_in(office, "alice", PASSWORD).cookie


@pytest.fixture
def bob(guarded: Stack) -> Iterator[str]:
    """Another person, who is gone after the test; gives his cookie."""
    guarded.add_user("bob", "battery staple")
    cookie = sealed(guarded, "bob", int(time.time()) + WEEK_S, password_hash(guarded, "bob"))
    wait_until(lambda: enters(guarded, cookie), "bob is known")
    yield cookie
    guarded.appliance("users", "remove", "bob", "--yes")


def test_the_right_password_gives_a_cookie(guarded: Stack, office: LoneDoor) -> None:
    answer = sign_in(office, "alice", PASSWORD)

    assert (answer.status, answer.body) == (204, "")
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert attributes == ["Path=/", f"Max-Age={WEEK_S}", "HttpOnly", "SameSite=Lax"], "Secure only with TLS"
    assert cookie.startswith(f"{guarded.session_cookie}=")
    assert enters(guarded, answer.cookie)


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("nobody", PASSWORD), ("alice", ""), ("Alice", PASSWORD)]
)
def test_a_wrong_password_is_refused_without_a_browsers_dialog(
    office: LoneDoor, name: str, password: str
) -> None:
    answer = sign_in(office, name, password)

    assert (answer.status, answer.headers["content-type"]) == (403, "application/json")
    message = "The name or the password is not right."
    assert json.loads(answer.body) == {"error": message, "code": "unauthorized"}
    assert "www-authenticate" not in answer.headers
    assert "set-cookie" not in answer.headers


def test_passwords_are_tried_slowly(office: LoneDoor) -> None:
    """As many as one may mistype, then one in a while; who is elsewhere does not wait for that."""
    answers = list[raw_http.Answer]()

    def refused() -> bool:
        guess = raw_http.basic("alice", f"guess {len(answers)}")
        answers.append(raw_http.ask(office.port, "POST", "/session", guess))
        return answers[-1].status == 429

    wait_until(refused, "it was tried often enough", poll_s=0)
    *wrong, last = answers
    assert {answer.status for answer in wrong} == {403}
    assert len(wrong) > 5
    assert last.headers["content-type"] == "application/json"
    assert int(last.headers["retry-after"]) >= 1
    assert last.json["code"] == "rate_limited"
    assert sign_in(office, "alice", PASSWORD).cookie


@pytest.mark.parametrize(("method", "credentials"), [("GET", True), ("PUT", True), ("POST", False)])
def test_what_is_no_attempt_uses_none_up(
    guarded: Stack, person: tuple[str, str], method: str, credentials: bool
) -> None:
    """A page elsewhere can make a browser ask so, again and again."""
    with LoneDoor.beside(guarded) as door:
        fields = (raw_http.basic(*person),) if credentials else ()
        statuses = {raw_http.ask(door.port, method, "/session", *fields).status for _ in range(30)}
        assert statuses <= {403, 405}
        assert raw_http.ask(door.port, "POST", "/session", raw_http.basic(*person)).status == 204


def sealed(stack: Stack, name: str, expires: int, password_hash: str) -> str:
    """A cookie as nginx makes it, for which one needs what only nginx and the command line know."""
    secret = (stack.access / "session.secret").read_text().strip()
    mac = hmac.digest(secret.encode(), f"{name}|{expires}|{password_hash}".encode(), hashlib.sha256)
    return f"{encoded(name.encode())}.{expires}.{encoded(mac)}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def password_hash(stack: Stack, name: str) -> str:
    (found,) = re.findall(rf"^{name}:(.*)$", (stack.access / "users.htpasswd").read_text(), re.MULTILINE)
    return str(found)


def test_a_session_ends_in_time(guarded: Stack) -> None:
    now, proof = int(time.time()), password_hash(guarded, "alice")
    assert enters(guarded, sealed(guarded, "alice", now + 3600, proof))
    assert not enters(guarded, sealed(guarded, "alice", now - 1, proof))
    assert not enters(guarded, sealed(guarded, "alice", 0, proof))


def test_nothing_in_the_cookie_can_be_changed(guarded: Stack, session: str, bob: str) -> None:
    assert enters(guarded, session)
    assert enters(guarded, bob)
    name, expires, mac = session.split(".")
    raw = base64.urlsafe_b64decode(mac + "=")
    flipped = [encoded(bytes([*raw[:at], raw[at] ^ bit, *raw[at + 1 :]])) for at, bit in ((0, 1), (31, 128))]
    bobs_name, bobs_expires, bobs_mac = bob.split(".")
    other = (
        *(f"{bobs_name}.{expires}.{mac}", f"{name}.{bobs_expires}.{bobs_mac}"),
        f"{name}.{int(expires) + 1}.{mac}",
        *(f"{name}.0{expires}.{mac}", f"{name}.{expires}.0.{mac}", f"{name}.1e12.{mac}", f"{name}.-1.{mac}"),
        *(f"{name}.{expires}.{one}" for one in (*flipped, mac[:-1], mac + "A", mac.swapcase(), "")),
        *("", ".", "..", "...", f"{name}..{mac}", f".{expires}.{mac}", f"{name}.{expires}", name, mac),
        sealed(guarded, "eve", int(expires), ""),
        sealed(guarded, "alice", int(expires), ""),
        sealed(guarded, "alice", int(expires), password_hash(guarded, "bob")),
    )
    assert [cookie for cookie in other if enters(guarded, cookie)] == []


def test_a_new_password_ends_the_sessions_of_the_old_one(
    guarded: Stack, office: LoneDoor, session: str, bob: str
) -> None:
    changed = guarded.appliance("users", "passwd", "bob", stdin="another staple\n")
    assert changed.returncode == 0, changed.stderr
    wait_until(lambda: not enters(guarded, bob), "the old session is over")
    assert sign_in(office, "bob", "battery staple").status == 403
    anew = sign_in(office, "bob", "another staple").cookie
    assert enters(guarded, anew)

    assert guarded.appliance("users", "remove", "bob", "--yes").returncode == 0
    wait_until(lambda: not enters(guarded, anew), "who is removed is out")
    assert sign_in(office, "bob", "another staple").status == 403
    assert enters(guarded, session), "alice is still in"


def test_signing_out_clears_the_cookie(guarded: Stack) -> None:
    answer = requests.post(
        f"{guarded.url}/logout",
        allow_redirects=False,
        timeout=30,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie == f"{guarded.session_cookie}="
    assert attributes == ["Path=/", "Max-Age=0", "HttpOnly", "SameSite=Lax"]


def test_signing_out_ends_the_session_everywhere(
    guarded: Stack, session: str, person: tuple[str, str]
) -> None:
    """Also where somebody has a copy of the cookie, and after nginx died; nobody else is signed out."""
    with LoneDoor.beside(guarded) as door:

        def signed_in() -> str:
            answer = raw_http.ask(door.port, "POST", "/session", raw_http.basic(*person))
            return f"Cookie: {answer.headers['set-cookie'].partition(';')[0]}"

        def enters_by(cookie: str) -> bool:
            status = raw_http.ask(door.port, "GET", "/whoami", cookie).status
            assert status in (200, 401)
            return status == 200

        alice = f"Cookie: {guarded.session_cookie}={session}"
        here, elsewhere = signed_in(), signed_in()
        assert enters_by(here)
        assert raw_http.ask(door.port, "POST", "/logout").status == 303
        assert enters_by(elsewhere), "who is not signed in signs nobody out"

        assert raw_http.ask(door.port, "POST", "/logout", here).status == 303
        assert [enters_by(cookie) for cookie in (here, elsewhere, alice)] == [False, False, True]
        anew = signed_in()
        assert enters_by(anew)
        door.restart()
        assert [enters_by(cookie) for cookie in (here, elsewhere, anew)] == [False, False, True]


def test_without_a_session_a_browser_is_sent_to_sign_in_and_a_script_is_told(guarded: Stack) -> None:
    page = requests.get(guarded.url, headers=HTML, allow_redirects=False, timeout=30)
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    login = requests.get(guarded.url, headers=HTML, timeout=30)
    assert (login.status_code, login.url) == (200, f"{guarded.url}/login")
    assert login.headers["content-type"] == "text/html"
    assert login.headers["cache-control"] == "no-store"

    for method, path in (("GET", "/config"), ("GET", "/assets/x.js"), ("POST", "/gradio_api/queue/join")):
        answer = requests.request(method, guarded.url + path, allow_redirects=False, timeout=30)
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthorized"
        assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("path", ["/session", "/logout"])
def test_signing_in_and_out_are_posts(guarded: Stack, path: str) -> None:
    answer = requests.get(guarded.url + path, allow_redirects=False, timeout=30)
    assert answer.status_code in (403, 405)
    assert "set-cookie" not in answer.headers
    assert "www-authenticate" not in answer.headers


def test_what_proves_people_is_never_served(guarded: Stack, session: str) -> None:
    headers = {"Cookie": f"{guarded.session_cookie}={session}"}
    for name in ("users.htpasswd", "users.json", "keys.json", "session.secret", "tls/server.pem"):
        for folder in ("", "access/", "pages/", "assets/../../access/", "gradio_api/file=/access/"):
            answer = requests.get(f"{guarded.url}/{folder}{name}", headers=headers, timeout=30)
            assert answer.status_code in (403, 404), answer.url
