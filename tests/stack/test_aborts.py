"""Somebody who leaves in mid-answer costs the engine nothing more, and nginx gives his place back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from harness.crowd import Crowd, broken, finish
from harness.stack import Stack
from harness.waiting import wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

ENDLESS = 2000  # tokens: more than are generated before anybody leaves
GENERATE = {"inputs": "1, 2, 3,", "parameters": {"max_new_tokens": ENDLESS}}
CHAT = {
    "model": "tgi",
    "messages": [{"role": "user", "content": "1, 2, 3,"}],
    "max_tokens": ENDLESS,
    "temperature": 0.05,
}
SLOTS = 4  # what the CPU engine works on at a time; the others wait
MOST = 128  # what the engine admits


@pytest.fixture
def nobody_finishes(stack: Stack) -> Iterator[None]:
    """Afterwards the engine is idle, and not because it wrote an answer to its end."""
    before = stack.engine_gauge("tgi_request_success")
    yield
    wait_until(lambda: running(stack) == 0, "the engine stopped generating")
    assert stack.engine_gauge("tgi_request_success") == before


@pytest.mark.usefixtures("nobody_finishes")
@pytest.mark.parametrize(
    ("count", "path", "body"),
    [
        (1, "/generate_stream", GENERATE),
        (20, "/generate_stream", GENERATE),
        (1, "/v1/chat/completions", {**CHAT, "stream": True}),
        (1, "/generate", GENERATE),
        (1, "/v1/chat/completions", CHAT),
    ],
    ids=["stream", "20 streams", "chat stream", "whole answer", "whole chat answer"],
)
def test_an_api_client_hangs_up(
    stack: Stack, crowd: Crowd, count: int, path: str, body: dict[str, Any]
) -> None:
    calls = crowd.call(count, path, body)
    wait_until(lambda: running(stack) == count, "the engine works on all of them")
    streamed = [call for call in calls if "stream" in path or body.get("stream")]
    wait_until(
        lambda: sum(b"data:" in call.received for call in streamed) >= min(len(streamed), SLOTS), "text comes"
    )
    assert not any(call.over for call in calls)

    crowd.hang_up(calls)


@pytest.mark.usefixtures("nobody_finishes")
@pytest.mark.parametrize("count", [1, 20])
def test_a_person_stops_and_closes_the_page(stack: Stack, crowd: Crowd, count: int) -> None:
    people = crowd.arrive(count)
    crowd.ask(people, ENDLESS)
    wait_until(lambda: running(stack) == count, "the engine works on all of them")
    wait_until(lambda: sum(bool(p.answer.text) for p in people) >= min(count, SLOTS), "answers grow")

    crowd.leave(people)


def test_an_engine_with_too_much_to_do_says_so_and_recovers(stack: Stack, crowd: Crowd) -> None:
    calls = crowd.call(MOST, "/generate_stream", GENERATE)
    wait_until(lambda: running(stack) == MOST, "the engine admits no more")

    refused = requests.post(f"{stack.url}/v1/chat/completions", json=CHAT, timeout=30)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "overloaded"
    people = crowd.arrive(1)
    crowd.ask(people, 4)
    wait_until(lambda: "Your question waits" in people[0].answer.note, "the page says that it waits")
    assert not people[0].answer.over

    crowd.hang_up(calls)
    finish(people)
    assert broken(people) == [], "asked again by itself"


def running(stack: Stack) -> int:
    """Requests that the engine works on, or that wait for it."""
    return int(stack.engine_gauge("tgi_batch_current_size") + stack.engine_gauge("tgi_queue_size"))
