"""How openai-api stands behind the door: counted once, in two replicas, and no way round the checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from harness import figures, raw_http
from harness.caller import COUNTING, Caller, Stream, caller
from harness.lone_door import LoneDoor, headers_of
from harness.stack import Stack, running, said_inside
from harness.waiting import in_some_answer, wait_until

pytest_plugins = ["harness.door_fixtures"]

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Count to ten."}]
ASKED: dict[str, Any] = {"model": "tgi", "messages": MESSAGES, "temperature": 0, "max_tokens": 5}
LONG = 600  # tokens
AS_IS = "X-Echo-As-Is: 1"
# In TGI's own form, each by another sign of it.
TGIS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {**ASKED, "guideline": "none"}),
    (CHAT, {**ASKED, "guideline": "none", "stream": True}),
    (CHAT, {**ASKED, "response_format": {"type": "regex", "value": "[0-9]{3}"}}),
    (CHAT, {**ASKED, "guideline": "none", "top_p": 1.0}),
    (
        CHAT,
        {
            **ASKED,
            "guideline": "none",
            "messages": [{"role": "user", "content": "word " * 5000}],
            "stream": True,
        },
    ),
    (CHAT, {**ASKED, "guideline": "none", "stop": "x"}),
    (
        "/v1/completions",
        {
            "model": "tgi",
            "prompt": COUNTING,
            "max_tokens": 4,
            "repetition_penalty": 1.1,
            "temperature": 0.1,
            "seed": 1,
        },
    ),
]
POST = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 3000)
connection.request("POST", sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
answer = connection.getresponse()
sys.stdout.write(f"{answer.status} {answer.headers['content-type']}\\n{answer.read().decode()}")
"""


@pytest.fixture(scope="module")
def program(guarded: Stack) -> Iterator[Caller]:
    with caller(guarded, "speaker") as made:
        yield made


@pytest.mark.parametrize(("path", "body"), TGIS)
def test_tgis_own_form_is_answered_by_tgi_to_the_byte(
    guarded: Stack, program: Caller, path: str, body: dict[str, Any]
) -> None:
    def is_the_same() -> bool:
        direct = said_inside(guarded.container("tgi"), "python3", "-c", POST, path, json.dumps(body))
        head, _, text = direct.partition("\n")
        answer = program.post(path, body)
        assert f"{answer.status_code} {answer.headers.get('content-type')}" == head
        return timeless(answer.content.decode()) == timeless(text)

    assert in_some_answer(is_the_same)


def timeless(text: str) -> str:
    """Without the second in which it was written."""
    return re.sub('"created":[0-9]+', '"created":0', text)


def test_what_need_not_be_translated_reaches_the_engine_as_it_was_sent(
    echoing: LoneDoor, bearer: str
) -> None:
    body = b'{ "guideline":\t"\\u0078",\n "stream" : false, "a":1,"a":2 }'
    fields = (bearer, AS_IS, "Content-Type: application/json; charset=utf-8", "X-Conversation-ID: talk")
    answer = raw_http.ask(echoing.port, "POST", f"{CHAT}?x=%20y", *fields, body=body)
    assert answer.status == 200
    service, engine = echoing.seen()
    assert (service["service"], engine["service"]) == ("openai-api", "tgi")
    assert engine["body"].encode("latin-1") == body
    assert engine["target"] == f"{CHAT}?x=%20y"
    assert headers_of(engine)["content-type"] == "application/json; charset=utf-8"
    assert headers_of(engine)["content-length"] == str(len(body))
    assert "x-account" not in headers_of(engine)
    assert headers_of(service)["x-account"] == "key:door"
    assert headers_of(service)["x-conversation-id"] == "talk"


def test_whose_request_it_is_says_the_door_alone(echoing: LoneDoor, bearer: str) -> None:
    forged = ("X-Account: key:eve", "X-User: eve", "X-Appliance-Proof: 0", "X-Accel-Redirect: @engine_as_is")
    for method, path in (
        ("POST", CHAT),
        ("GET", "/v1/models/a/b"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
    ):
        echoing.forget()
        assert raw_http.ask(echoing.port, method, path, bearer, *forged).status == 200
        (seen,) = echoing.seen()
        headers = headers_of(seen)
        assert headers["x-account"] == "key:door"
        assert not headers.keys() & {"x-user", "x-appliance-proof", "authorization", "cookie"}


def test_a_stream_is_counted_once_and_exactly(guarded: Stack) -> None:
    """Whoever answers: two passes through nginx are one request, one place and one line."""
    with caller(guarded, "once") as someone:
        stream = someone.stream(CHAT, {**ASKED, "max_tokens": LONG, "stream": True})
        stream.read(2)
        assert figures.running(guarded)[someone.account] == 1
        stream.close()
        figures.wait_idle(guarded, someone.account)
        entry = figures.log_entry(guarded, stream.response.headers["x-request-id"])
        assert 2 <= entry["generated_tokens"] < LONG

        answers = [someone.post(CHAT, ASKED), someone.post(CHAT, {**ASKED, "guideline": "none"})]
        (usage, _) = (answer.json()["usage"] for answer in answers)
        whole = {**ASKED, "stream": True, "tools": [{"type": "function", "function": {"name": "ping"}}]}
        assert someone.post(CHAT, {**whole, "tool_choice": "none"}).text.endswith("data: [DONE]\n\n")
        expected = {
            "requests": 4,
            "prompt_tokens": 4 * usage["prompt_tokens"],
            "generated_tokens": entry["generated_tokens"] + 3 * usage["completion_tokens"],
            "refused": 0,
        }
        wait_until(
            lambda: figures.used(guarded, someone.account) == expected,
            "all is booked",
            deadline_s=30,
            detail=lambda: f"expected {expected}\nfound    {figures.used(guarded, someone.account)}",
        )


def test_a_killed_replica_loses_its_own_answers_and_nobody_is_refused(
    guarded: Stack, program: Caller
) -> None:
    streams = [program.stream(CHAT, {**ASKED, "max_tokens": LONG, "stream": True}) for _ in range(4)]
    for stream in streams:
        stream.read(2)
    victim, _ = guarded.containers("openai-api")
    victim.kill()
    try:
        asked = [program.post(CHAT, ASKED).status_code for _ in range(6)]
        assert set(asked) == {200}
        with ThreadPoolExecutor(4) as pool:
            ended = list(pool.map(is_whole, streams))
        assert sorted(ended) == [False, False, True, True]
    finally:
        victim.start()
        wait_until(running(victim), "the replica is back")


def is_whole(stream: Stream) -> bool:
    try:
        stream.read_all()
    except requests.RequestException:
        return False
    return bool(stream.frames[-1] == "[DONE]")


def test_without_a_replica_openais_api_says_so_and_the_rest_goes_on(guarded: Stack, program: Caller) -> None:
    replicas = guarded.containers("openai-api")
    for replica in replicas:
        replica.kill()
    try:
        refused = [program.post(CHAT, ASKED), program.post("/v1/completions", {}), program.get("/v1/models")]
        for answer in refused:
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["error"]["code"] == "unavailable"
        assert (
            program.post("/generate", {"inputs": "x", "parameters": {"max_new_tokens": 1}}).status_code == 200
        )
        assert requests.get(f"{guarded.url}/health", timeout=30).status_code == 200
        wait_until(lambda: guarded.status()["state"] == "ready", "the page is ready without a replica of it")
    finally:
        for replica in replicas:
            replica.start()
    wait_until(lambda: program.post(CHAT, ASKED).status_code == 200, "it answers again")


def test_the_api_is_described_to_who_may_use_it(guarded: Stack, program: Caller, cookie: str) -> None:
    for path in ("/docs", "/openapi.json"):
        assert raw_http.ask(guarded.port, "GET", path).status == 401
        assert raw_http.ask(guarded.port, "GET", path, "Authorization: Bearer sk-other").status == 401
        assert raw_http.ask(guarded.port, "GET", path, "Accept: text/html").headers["location"] == "/login"
        assert raw_http.ask(guarded.port, "GET", path, cookie).status == program.get(path).status_code == 200
    document = program.get("/openapi.json").json()
    routes = {"/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/models/{model}", "/generate"}
    assert routes <= set(document["paths"])
    page = program.get("/docs").text
    assert not re.findall("https?://|src=|@import", page), "nothing of another host, nor of any other address"


def test_the_internal_listener_believes_nobody_without_proof(guarded: Stack) -> None:
    ask = (
        "import sys, urllib.request as u, urllib.error\n"
        "try: print(u.urlopen('http://nginx:8088' + sys.argv[1], timeout=20).status)\n"
        "except urllib.error.HTTPError as e: print(e.code)"
    )
    engine = guarded.container("tgi")
    for path in ("/engine/info", "/engine/v1/models", "/count/v1/completions"):
        assert said_inside(engine, "python3", "-c", ask, path).strip() == "403"
