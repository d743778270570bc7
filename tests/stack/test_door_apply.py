"""The operator's own additions: what is good is taken over without a cut, what is bad changes nothing."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.sse import events
from harness.stack import Stack, run_inside
from harness.waiting import wait_until

pytest_plugins = ["harness.door_fixtures"]

ENDLESS: dict[str, Any] = {"inputs": "1, 2, 3,", "parameters": {"max_new_tokens": 2000, "do_sample": False}}
SYNTAX_ERROR = "location = /hello { retrun 500; }\n"


@pytest.fixture
def custom(guarded: Stack) -> Iterator[Path]:
    """The folder for additions, empty again and applied afterwards."""
    folder = guarded.access / "custom"
    folder.mkdir(exist_ok=True)
    owner = guarded.access.stat()
    if os.geteuid() == 0:
        os.chown(folder, owner.st_uid, owner.st_gid)
    yield folder
    for file in folder.iterdir():
        file.unlink()
    assert guarded.appliance("reload").returncode == 0


@pytest.fixture
def hello(guarded: Stack, custom: Path) -> Path:
    """An addition that is in force: /hello answers "one"."""
    _says(custom, "one")
    assert guarded.appliance("reload").returncode == 0
    wait_until(lambda: _hello(guarded) == (200, b"one"), "the addition is in force", deadline_s=20)
    return custom


def _says(custom: Path, word: str) -> None:
    (custom / "hello.conf").write_text(f'location = /hello {{ return 200 "{word}"; }}\n')


def _hello(guarded: Stack) -> tuple[int, bytes]:
    answer = raw_http.ask(guarded.port, "GET", "/hello")
    return answer.status, answer.body


def test_a_good_addition_is_taken_over_while_answers_are_being_written(
    guarded: Stack, hello: Path, api_key: str, cookie: str
) -> None:
    """Nobody is cut, nobody is moved."""
    seat = raw_http.ask(guarded.port, "GET", "/whoami", cookie).headers["set-cookie"].partition(";")[0]
    seated = f"{cookie}; {seat}"
    known = {"Authorization": f"Bearer {api_key}"}
    with requests.post(
        f"{guarded.url}/generate_stream", json=ENDLESS, headers=known, stream=True, timeout=60
    ) as answer:
        frames = events(answer)
        first = next(frames)["index"]
        _says(hello, "two")
        done = guarded.appliance("reload")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: _hello(guarded) == (200, b"two"), "the new addition is in force", deadline_s=20)
        assert guarded.engine_gauge("tgi_batch_current_size") == 1, "the engine still writes"
        following = [frame["index"] for frame in itertools.islice(frames, 60)]
    assert following == list(range(first + 1, first + 61))

    for _ in range(6):
        again = raw_http.ask(guarded.port, "GET", "/whoami", seated)
        assert again.headers.get("set-cookie", seat).partition(";")[0] == seat
    wait_until(lambda: guarded.engine_gauge("tgi_batch_current_size") == 0, "the engine is idle again")


def test_a_bad_addition_changes_nothing_even_across_a_restart(guarded: Stack, hello: Path) -> None:
    (hello / "more.conf").write_text(SYNTAX_ERROR)
    done = guarded.appliance("reload")
    assert done.returncode == 4
    assert 'unknown directive "retrun"' in done.stderr
    assert "more.conf:1" in done.stderr
    assert _hello(guarded) == (200, b"one")
    code, said = run_inside(guarded.container("nginx"), "/etc/nginx/apply")
    assert code == 1
    assert 'unknown directive "retrun"' in said

    guarded.compose("restart", "nginx")
    wait_until(lambda: _answers(guarded), "nginx is back", detail=guarded.diagnostics)
    assert _hello(guarded) == (200, b"one")
    log = guarded.compose("logs", "--no-color", "nginx").stdout
    assert 'unknown directive "retrun"' in log
    assert "the last good additions are used instead" in log


def _answers(guarded: Stack) -> bool:
    try:
        return requests.get(f"{guarded.url}/login", timeout=5).ok
    except requests.RequestException:
        return False


def test_what_leaves_its_place_in_the_configuration_is_refused(guarded: Stack, hello: Path) -> None:
    """An addition can neither close the server nor take a route of the appliance's."""
    for text in (
        "}\nserver { listen 8090;\n",
        "location = /v1/models { return 200; }\n",
        "include /nothing;\n",
    ):
        (hello / "more.conf").write_text(text)
        assert guarded.appliance("reload").returncode == 4, text
        assert _hello(guarded) == (200, b"one")
        assert raw_http.ask(guarded.port, "GET", "/v1/models").status == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write what nginx's user may not read")
def test_an_addition_that_nginx_may_not_read_is_named(guarded: Stack, hello: Path) -> None:
    """A root's umask of 077 is enough; passed over in silence, what it closes would stay open."""
    closed = hello / "closed.conf"
    closed.write_text("location = /closed { return 403; }\n")
    closed.chmod(0o600)
    os.chown(closed, 0, 0)
    done = guarded.appliance("reload")
    assert done.returncode == 4
    assert "closed.conf" in done.stderr
    assert _hello(guarded) == (200, b"one")


def test_usage_and_limits_survive_a_reload(guarded: Stack, custom: Path) -> None:
    limited = {"Authorization": f"Bearer {guarded.add_key('three', '--rpm', '3')}"}
    before = _requests_of(guarded, "key:three")
    try:

        def ask() -> int:
            body = {"inputs": "x"}
            return requests.post(
                f"{guarded.url}/tokenize", json=body, headers=limited, timeout=30
            ).status_code

        wait_until(
            lambda: requests.get(f"{guarded.url}/info", headers=limited, timeout=30).ok, "the key is known"
        )
        assert [ask(), ask()] == [200, 200]
        assert guarded.appliance("reload").returncode == 0
        assert [ask(), ask()] == [200, 429]
        assert guarded.appliance("reload").returncode == 0
        assert ask() == 429
        wait_until(
            lambda: _requests_of(guarded, "key:three") == before + 3, "three are counted", deadline_s=20
        )
    finally:
        guarded.appliance("keys", "revoke", "three", "--yes")


def _requests_of(guarded: Stack, account: str) -> int:
    code, found = run_inside(guarded.container("nginx"), "cat", "/state/usage.json")
    # there is no file before the first request is counted
    counts = json.loads(found or "{}") if code == 0 else {}
    return int(sum(v["value"] for name, v in counts.items() if name.endswith(f"|{account}|requests")))


def test_a_damaged_usage_file_costs_at_most_what_came_after_its_copy(
    guarded: Stack, api_key: str, cookie: str
) -> None:
    """nginx starts, counting goes on from the hourly copy, and the log says so."""
    bearer = f"Authorization: Bearer {api_key}"
    damages = ("truncate -s 20", "truncate -s 0")
    with LoneDoor.beside(guarded) as door:
        for so_far, damage in enumerate(damages):
            assert raw_http.ask(door.port, "POST", "/generate", bearer, body=b"{}").status == 200
            expected = so_far + 1
            wait_until(_has_counted(door, expected), "it is counted", deadline_s=20, detail=door.log)
            door.run("cp", "/state/usage.json", "/state/usage.json.backup")
            door.run("sh", "-c", f"{damage} /state/usage.json")
            door.restart()
            assert door.log().count("/state/usage.json cannot be used") == expected, damage


def _has_counted(door: LoneDoor, requests: int) -> Callable[[], bool]:
    def condition() -> bool:
        code, document = door.run("cat", "/state/usage.json")
        counts = json.loads(document) if code == 0 and document else {}
        return bool(requests == sum(v["value"] for name, v in counts.items() if name.endswith("|requests")))

    return condition
