"""A release that answers is one that answers people and programs, through the door, by a key if asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from appliance_cli.base.errors import ApplianceFailed
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access, keys
from appliance_cli.door.accounts import Limits
from appliance_cli.release import question


class Door(ThreadingHTTPServer):
    """An appliance's door: `page` and `status` are its answers, `said` the model's."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.page, self.status, self.said = 200, [200], "Paris."
        self.shown: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    server: Door

    def do_GET(self) -> None:
        self._answer(self.server.page, b"<html>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.shown.append(self.headers.get("Authorization", ""))
        status = self.server.status.pop(0) if len(self.server.status) > 1 else self.server.status[0]
        content = {"choices": [{"message": {"content": self.server.said}}]}
        self._answer(status, json.dumps(content).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def door() -> Iterator[Door]:
    with Door() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def asked(appliance: Appliance, door: Door) -> Appliance:
    return replace(appliance, port=door.server_port)


def test_what_the_model_says_is_given(asked: Appliance, door: Door) -> None:
    assert question.require_answer(asked) == "Paris."
    assert door.shown == [""]


def test_a_door_that_asks_for_a_key_is_shown_one_that_is_taken_away_again(
    asked: Appliance, door: Door
) -> None:
    folder = access.of(asked)
    keys.add(folder, "standing", Limits(), None, datetime.now(UTC))
    door.status = [401, 200]  # nginx reads a new key within a second
    assert question.require_answer(asked) == "Paris."
    assert all(shown.startswith("Bearer sk-") for shown in door.shown)
    assert [entry["name"] for entry in keys.load(folder)] == ["standing"]


@pytest.mark.parametrize(
    ("page", "status", "said", "found"),
    [
        (502, 200, "Paris.", "status 502"),
        (200, 503, "Paris.", "status 503"),
        (200, 200, "  ", "an empty one"),
    ],
)
def test_anything_else_is_a_release_that_does_not_answer(
    asked: Appliance, door: Door, page: int, status: int, said: str, found: str
) -> None:
    door.page, door.status, door.said = page, [status], said
    with pytest.raises(ApplianceFailed, match="does not answer") as failure:
        question.require_answer(asked)
    assert found in failure.value.found


def test_nobody_there_is_one_too(appliance: Appliance, door: Door) -> None:
    port = door.server_port
    door.shutdown()
    door.server_close()
    with pytest.raises(ApplianceFailed, match="does not answer"):
        question.require_answer(replace(appliance, port=port))
