"""What callers see while a part is missing: never a bare 502, and everything goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from harness import figures
from harness.stack import Stack
from harness.waiting import wait_until

CHAT = {"model": "tgi", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 5}
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def without_engine(stack: Stack) -> Iterator[Stack]:
    stack.compose("stop", "tgi")
    yield stack
    stack.compose("start", "tgi")
    stack.wait_ready()


def test_without_the_engine_callers_are_told_why_in_their_own_shape(without_engine: Stack) -> None:
    stack = without_engine
    # each replica finds out for itself
    wait_until(
        lambda: {stack.status()["engine"]["phase"] for _ in range(6)} == {"gone"},
        "every replica knows that no engine runs",
    )
    assert stack.status()["engine"]["healthy"] is False
    assert stack.appliance("status").returncode == 6

    openai_style = requests.post(f"{stack.url}/v1/chat/completions", json=CHAT, timeout=30)
    assert openai_style.status_code == 503
    assert int(openai_style.headers["retry-after"]) > 0
    error = openai_style.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "gone" in error["message"]
    # the door's line and figure; the service's own tries are the same request
    line = figures.log_entry(stack, openai_style.headers["x-request-id"])
    assert [entry for entry in figures.log_entries(stack) if entry["id"] == line["id"]] == [line]
    assert not [series for series in figures.metrics(stack) if 'route="engine"' in series]

    tgi_style = requests.post(f"{stack.url}/generate", json={"inputs": "x"}, timeout=30)
    assert tgi_style.status_code == 503
    assert set(tgi_style.json()) == {"error", "code"}
    assert "gone" in tgi_style.json()["error"]

    assert requests.get(stack.url, headers=HTML, timeout=30).status_code == 200, (
        "the page is up without the engine"
    )


def test_without_any_replica_a_person_gets_a_page_and_a_script_gets_json(stack: Stack) -> None:
    stack.compose("stop", "ui")
    try:
        page = requests.get(stack.url, headers=HTML, timeout=30)
        assert page.status_code == 503
        assert page.headers["content-type"].startswith("text/html")
        assert int(page.headers["retry-after"]) > 0
        assert "The chat is starting" in page.text
        assert "对话服务正在启动" in page.content.decode()

        status = requests.get(f"{stack.url}/status", timeout=30)
        assert status.status_code == 503
        assert status.json()["state"] == "starting"

        answer = requests.post(f"{stack.url}/v1/chat/completions", json=CHAT, timeout=60)
        assert answer.status_code == 200, "the API does not need the chat"
    finally:
        stack.compose("start", "ui")
        stack.wait_ready()
    wait_until(lambda: stack.status()["ui"] == {"replicas": 3, "healthy": 3}, "three replicas are back")
