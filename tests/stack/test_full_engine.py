"""An engine that answers as many as it takes: one more gets 429 and when to come back, a stream, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests

from harness.caller import Caller
from harness.lone_door import LoneDoor
from harness.stack import Stack
from harness.waiting import wait_until

TGI = {"error": "Model is overloaded", "error_type": "overloaded"}
OPENAI = {
    "error": {
        "message": "Model is overloaded",
        "type": "service_unavailable",
        "param": None,
        "code": "overloaded",
    }
}
CHAT = {"model": "tgi", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
ROUTES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("/generate", {"inputs": "x", "parameters": {"max_new_tokens": 1}}, TGI),
    ("/generate_stream", {"inputs": "x", "parameters": {"max_new_tokens": 1}}, TGI),
    ("/", {"inputs": "x", "stream": True}, TGI),
    ("/v1/chat/completions", CHAT, OPENAI),
    ("/v1/chat/completions", {**CHAT, "stream": True}, OPENAI),
    ("/v1/completions", {"model": "tgi", "prompt": "x", "max_tokens": 1}, OPENAI),
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An appliance that answers two at a time."""
    settings = {"MAX_CONCURRENT_REQUESTS": "2", "UI_REPLICAS": "1"}
    with Stack(tmp_path_factory.mktemp("small"), settings) as running:
        running.up()
        yield running


@pytest.fixture(scope="module")
def echoing(small: Stack) -> Iterator[LoneDoor]:
    """A door that believes in room for 128, so that the engine itself says that it is full."""
    with LoneDoor.beside(small) as door:
        yield door


def test_one_more_is_refused_with_a_time_to_come_back(small: Stack) -> None:
    someone = Caller(small.url, "-", "-")
    first, second = someone.count_on(), someone.count_on()
    first.read(1)
    second.read(1)
    for path, body, refusal in ROUTES:
        answer = requests.post(small.url + path, json=body, timeout=60)
        assert (answer.status_code, answer.json()) == (429, refusal), (path, body)
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["content-type"] == "application/json"
    assert someone.post("/tokenize", {"inputs": "x"}).status_code == 200, "it takes no place"
    client = openai.OpenAI(base_url=f"{small.url}/v1", api_key="-", max_retries=0)
    with client, pytest.raises(openai.RateLimitError, match="Model is overloaded"):
        client.chat.completions.create(
            model="tgi", messages=[{"role": "user", "content": "Hello"}], stream=True
        )

    first.close()
    answers: list[requests.Response] = []

    def passes() -> bool:
        answers.append(someone.post("/generate", ROUTES[0][1]))
        return answers[-1].status_code == 200

    wait_until(passes, "the place that became free is taken")
    second.close()


@pytest.mark.parametrize(("own", "told"), [("-", "5"), ("17", "17")])
def test_a_refusal_of_the_engine_itself_says_when_to_come_back(
    echoing: LoneDoor, own: str, told: str
) -> None:
    for path, body, refusal in ROUTES:
        if path == "/generate_stream":  # the echo streams there whatever it is asked
            continue
        answer = requests.post(
            echoing.url + path, json=body, headers={"X-Echo-Full": own, "X-Echo-As-Is": "1"}, timeout=60
        )
        assert (answer.status_code, answer.json()) == (429, refusal), (path, body)
        assert answer.raw.headers.getlist("retry-after") == [told], path
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "retry-after" not in requests.post(f"{echoing.url}/generate", json={}, timeout=60).headers
