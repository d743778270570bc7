"""A crowd, or one bad client: others are served, memory is bounded, every figure is booked.

On a door of its own with 32 workers, 500 accounts, and an echo behind it.
"""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.stack import Stack
from harness.waiting import wait_until

ACCOUNTS = 500
WORKERS = 32
CONNECTIONS_OF_ADDRESS = 2048
LARGE_BODIES_OF_ADDRESS = 32
JOINS_A_MINUTE = 124  # of a person without a limit
CAROL = "Cookie: sso=yes"  # whom the echo's sign-on service knows
JOIN = "/gradio_api/queue/join"
HEALTH = "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3"


def _bearer(account: int | str) -> str:
    return f"Authorization: Bearer sk-{account}"


def _key(name: str, **limits: int) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(f"sk-{name}".encode()).hexdigest(), **limits}


@pytest.fixture(scope="module")
def door(guarded: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneDoor]:
    access: Path = tmp_path_factory.mktemp("access")
    access.chmod(0o755)
    keys = [_key(str(i)) for i in range(ACCOUNTS)] + [
        _key("poor", daily_tokens=100),
        _key("single", concurrent=1),
        *map(_key, ("large", "small")),
    ]
    (access / "keys.json").write_text(json.dumps({"keys": keys}))
    (access / "users.json").write_text(json.dumps({"users": []}))
    settings = {
        "NGINX_WORKERS": str(WORKERS),
        "SSO_URL": "http://sso:4180/auth",
        "APPLIANCE_NAME": "crowd",
        "BIND_ADDRESS": "0.0.0.0",  # a caller of another address comes from inside its container
    }
    with LoneDoor(access, "10001:10001", settings) as door:
        yield door


def _used(door: LoneDoor, account: str) -> dict[str, int]:
    code, text = door.run("cat", "/state/usage.json")
    found = json.loads(text) if code == 0 else {}
    parts = [(*key.split("|"), value["value"]) for key, value in found.items()]
    return {what: value for _, name, what, value in parts if name == account}


def test_many_accounts_on_many_workers_are_all_served(door: LoneDoor) -> None:
    assert len(_workers(door)) == WORKERS

    def ask(i: int) -> int:
        return raw_http.ask(door.port, "POST", "/generate", _bearer(i % ACCOUNTS), body=b"{}").status

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(ask, range(4 * ACCOUNTS))) == {200: 4 * ACCOUNTS}
    assert "could not be booked" not in door.log()
    wait_until(lambda: _used(door, f"key:{ACCOUNTS - 1}") == {"requests": 4}, "the last one is booked")


@pytest.mark.long
def test_a_place_is_held_for_as_long_as_the_answer_goes_on(door: LoneDoor) -> None:
    """Five and a half minutes: after five it was once forgotten."""
    with door.stream(_bearer("single")) as goes_on:
        end = time.monotonic() + 330
        while time.monotonic() < end:
            goes_on()
        assert raw_http.ask(door.port, "POST", "/generate", _bearer("single"), body=b"{}").status == 429


def test_half_sent_headers_of_one_address_leave_the_door_open_to_others(door: LoneDoor) -> None:
    with ExitStack() as held:
        clients = [
            held.enter_context(socket.create_connection(("127.0.0.1", door.port), 5)) for _ in range(2300)
        ]
        for client in clients:
            client.setblocking(False)
            try:
                client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nX-A: ")
            except OSError:
                continue
        wait_until(
            lambda: sum(map(_is_closed, clients)) >= len(clients) - CONNECTIONS_OF_ADDRESS,
            "those over the bound are closed",
        )
        assert sum(map(_is_closed, clients)) < len(clients) / 2, "not all of them"
        code, line = door.run("bash", "-c", HEALTH)
        assert (code, line.split()[1]) == (0, "200"), line
    assert "limiting connections by zone" in door.log()


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize(
    ("path", "credential"), [(JOIN, CAROL), ("/generate", _bearer(0))], ids=["join", "generate"]
)
def test_large_bodies_that_stall_are_bounded(door: LoneDoor, path: str, credential: str) -> None:
    """255 KB of each, then nothing; workers live, and what is over the bound reads why."""
    before = _workers(door)
    assert raw_http.ask(door.port, "POST", path, credential, body=b"x" * 100_000).status == 200
    body = b"x" * 255_000
    data = raw_http.request("POST", path, credential, f"Content-Length: {len(body) + 1000}") + body
    with ExitStack() as held:
        clients = []
        for _ in range(300):
            client = held.enter_context(socket.create_connection(("127.0.0.1", door.port), 5))
            clients.append(client)
            try:
                client.sendall(data)
            except OSError:
                continue
        wait_until(
            lambda: sum(not _has_answer(c) for c in clients) <= LARGE_BODIES_OF_ADDRESS,
            "no more of them wait than may",
        )
        statuses = {raw_http.read(c).answers[0].status for c in clients if _has_answer(c)}
        assert statuses == {429}
        assert raw_http.ask(door.port, "POST", "/generate", _bearer(1), body=b"{}").status == 200
    assert _workers(door) == before


def _has_answer(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _workers(door: LoneDoor) -> set[str]:
    search = "grep -l 'worker [p]rocess' /proc/[0-9]*/cmdline"
    return set(door.run("bash", "-c", search)[1].split())


def test_a_large_prompt_is_counted_and_so_are_all_others(door: LoneDoor) -> None:
    """Of 30,000 tokens, whose list is larger than njs takes by default; in a body over 256 KB."""
    large = " ".join(["something"] * 30_000)
    for name, text in (("large", large), ("small", "three small words")):
        _leave(door, "/generate", name, {"inputs": text, "parameters": {"max_new_tokens": 3}})
    wait_until(
        lambda: (
            _used(door, "key:large").get("prompt_tokens") == 30_000
            and _used(door, "key:small").get("prompt_tokens") == 3
        ),
        "both are counted",
        deadline_s=30,
        detail=lambda: f"{_used(door, 'key:large')} {_used(door, 'key:small')}\n{door.log()[-2000:]}",
    )


def test_a_budget_knows_what_was_left_early_at_once(door: LoneDoor) -> None:
    _leave(door, "/generate", "poor", {"inputs": "word " * 400, "parameters": {"max_new_tokens": 1}})

    wait_until(lambda: _used(door, "key:poor") != {}, "nginx has seen that the client left")
    refused = raw_http.ask(door.port, "POST", "/generate", _bearer("poor"), body=b"{}")
    assert (refused.status, refused.json["code"]) == (429, "budget_spent")


def _leave(door: LoneDoor, path: str, account: str, body: dict[str, Any]) -> None:
    """Asks, and leaves when the request has reached the engine, which never answers."""
    door.forget()
    data = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", door.port), 5) as client:
        client.sendall(raw_http.request("POST", path, _bearer(account), "X-Echo-Never: 1", body=data))
        wait_until(lambda: any(seen["target"] == path for seen in door.seen()), "the engine has it")


def test_joins_count_as_a_persons_requests(door: LoneDoor) -> None:
    """And bring no more than a conversation."""
    too_large = raw_http.ask(door.port, "POST", JOIN, CAROL, body=b"x" * (2**20 + 1))
    assert too_large.status == 413
    answers = [
        raw_http.ask(door.port, "POST", JOIN, CAROL, body=b"{}") for _ in range(2 * JOINS_A_MINUTE + 1)
    ]
    passed = sum(answer.status == 200 for answer in answers)
    assert 0 < passed <= 2 * JOINS_A_MINUTE, "two minutes' share, if a minute ends meanwhile"
    refused = answers[-1]
    assert refused.status == 429
    assert refused.json["code"] == "rate_limited"
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "damage",
    [
        "echo '{\"a' >/state/usage.json",
        "echo '[]' >/state/usage.json; cp /state/usage.json /state/usage.json.backup",
        "truncate -s 3G /state/usage.json",
        "truncate -s 3G /state/usage.json; truncate -s 3G /state/usage.json.backup",
        "rm -f /state/usage.json; mkdir /state/usage.json; echo '{' >/state/usage.json.backup",
        'awk \'BEGIN { printf "{"; for (i = 0; i < 300000; i++) printf "%s\\"2026-11-01|key:%d|requests\\":'
        '{\\"value\\":1}", i ? "," : "", i; print "}" }\' >/state/usage.json',
    ],
    ids=["half", "both wrong", "gigantic", "both gigantic", "a folder", "more than fits"],
)
def test_a_usage_file_that_cannot_be_used_is_set_aside(door: LoneDoor, damage: str) -> None:
    code, said = door.run("bash", "-c", f"rm -rf /state/usage.json*; {damage}")
    assert code == 0, said
    door.restart()
    assert "cannot be used and is now /state/usage.json.damaged" in door.log()
    assert raw_http.ask(door.port, "POST", "/generate", _bearer(99), body=b"{}").status == 200
    wait_until(lambda: _used(door, "key:99").get("requests", 0) >= 1, "counting goes on")
