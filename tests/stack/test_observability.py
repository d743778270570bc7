"""What nginx writes down: one JSON line a request, and figures for Prometheus that grow by what was asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import requests

from harness import figures, raw_http
from harness.caller import COUNTING, Caller, caller, counting
from harness.stack import Stack
from harness.waiting import wait_until

FIELDS = {
    *("time", "id", "client", "account", "method", "path", "status", "bytes", "seconds", "refused"),
    *("first_byte_seconds", "upstream", "upstream_status", "prompt_tokens", "generated_tokens"),
}
HISTOGRAMS = ("appliance_first_byte_seconds", "appliance_request_seconds")
STATES = ("active", "reading", "writing", "waiting")


@pytest.fixture(scope="module")
def seen(guarded: Stack) -> Iterator[Caller]:
    """Somebody whose requests are looked at."""
    with caller(guarded, "seen") as made:
        yield made


def test_a_request_is_one_line_without_what_is_private(guarded: Stack, seen: Caller) -> None:
    secret = {"inputs": "A secret prompt", "parameters": {"max_new_tokens": 3, "details": True}}
    answer = seen.post("/generate?user=secret&key=secret", secret)
    entry = figures.log_entry(guarded, answer.headers["x-request-id"])

    assert entry.keys() == FIELDS
    assert entry["account"] == seen.account
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/generate", 200)
    assert entry["bytes"] == len(answer.content)
    assert entry["prompt_tokens"] == int(answer.headers["x-prompt-tokens"])
    assert entry["generated_tokens"] == answer.json()["details"]["generated_tokens"]
    assert entry["upstream"].endswith(":3000")
    assert (entry["upstream_status"], entry["refused"]) == ("200", "")
    assert 0 <= float(entry["first_byte_seconds"]) <= entry["seconds"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", entry["time"])
    assert "secret" not in json.dumps(entry)
    services = ("nginx", "tgi", "ui", "openai-api")
    assert "secret prompt" not in guarded.compose("logs", "--no-color", *services).stdout


def test_who_is_refused_is_logged_as_such(guarded: Stack) -> None:
    answer = requests.post(f"{guarded.url}/generate", json=counting(1), timeout=30)
    entry = figures.log_entry(guarded, answer.headers["x-request-id"])
    assert (entry["account"], entry["status"], entry["refused"]) == ("-", 401, "unauthorized")
    assert (entry["upstream"], entry["prompt_tokens"], entry["generated_tokens"]) == ("", None, None)


def test_each_request_has_an_id_of_its_own_that_nobody_else_chooses(guarded: Stack, seen: Caller) -> None:
    headers = {**seen.headers, "X-Request-ID": "chosen-by-the-client"}
    answers = [requests.get(f"{guarded.url}/info", headers=headers, timeout=30) for _ in range(2)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", request_id) for request_id in ids)
    assert {figures.log_entry(guarded, request_id)["path"] for request_id in ids} == {"/info"}


def test_no_request_breaks_the_log(guarded: Stack) -> None:
    """Whatever a client sends, its line is JSON, and only one."""
    before = len(figures.log_entries(guarded))
    odd = [
        b'GET /"\\quotes\x01\xff\xc3\xa9%0a%22{ HTTP/1.1\r\nHost: "door"\r\nConnection: close\r\n\r\n',
        b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    statuses = [raw_http.exchange(guarded.port, data).only.status for data in odd]
    assert all(400 <= status <= 505 for status in statuses)

    def logged() -> bool:
        entries = figures.log_entries(guarded)[before:]
        return len([entry for entry in entries if entry["client"] != "127.0.0.1"]) >= len(odd)

    wait_until(logged, "each is in the access log", deadline_s=30)
    entries = figures.log_entries(guarded)[before:]
    assert all(entry.keys() == FIELDS for entry in entries)
    found = [entry["status"] for entry in entries]
    assert [found.count(status) >= statuses.count(status) for status in statuses] == [True] * len(odd)


def test_the_figures_grow_by_what_was_asked(guarded: Stack, seen: Caller) -> None:
    figures.wait_idle(guarded, seen.account)
    prompt = len(seen.post("/tokenize", {"inputs": COUNTING}).json())
    before = figures.metrics(guarded)
    for _ in range(3):
        assert seen.post("/generate", counting(2)).status_code == 200
    assert len(seen.post("/generate_stream", counting(4)).text.split("\n\n")) == 5
    for path in ("/v1/models", "/info"):
        assert seen.get(path).status_code == 200
    assert requests.post(f"{guarded.url}/generate", json={}, timeout=30).status_code == 401
    assert seen.get("/nothing").status_code == 404

    account = f'account="{seen.account}"'
    expected = {
        'appliance_requests_total{route="generate",status="200"}': 3,
        'appliance_requests_total{route="generate",status="401"}': 1,
        'appliance_requests_total{route="generate_stream",status="200"}': 1,
        'appliance_requests_total{route="models",status="200"}': 1,
        'appliance_requests_total{route="info",status="200"}': 1,
        'appliance_requests_total{route="other",status="404"}': 1,
        'appliance_refused_total{account="-",reason="unauthorized"}': 1,
        f"appliance_account_requests_total{{{account}}}": 4,
        f'appliance_tokens_total{{{account},kind="prompt"}}': 4 * prompt,
        f'appliance_tokens_total{{{account},kind="generated"}}': 3 * 2 + 4,
        **{f'{name}_count{{route="generate"}}': 3 for name in HISTOGRAMS},
        **{f'{name}_count{{route="generate_stream"}}': 1 for name in HISTOGRAMS},
    }

    def grown() -> dict[str, float]:
        now = figures.metrics(guarded)
        return {name: now.get(name, 0) - before.get(name, 0) for name in expected}

    # the stream's prompt is counted a moment later
    wait_until(
        lambda: grown() == expected, "the figures have grown", deadline_s=20, detail=lambda: str(grown())
    )


def test_the_histograms_are_cumulative(guarded: Stack, seen: Caller) -> None:
    assert seen.post("/generate", counting(1)).status_code == 200
    now = figures.metrics(guarded)
    for name in HISTOGRAMS:
        routes = {
            match[1]
            for match in (re.fullmatch(rf'{name}_count{{route="(\w+)"}}', key) for key in now)
            if match
        }
        assert "generate" in routes
        for route in routes:
            bucket = re.compile(rf'{name}_bucket{{route="{route}",le="(.+)"}}')
            buckets = [(match[1], now[key]) for key in now if (match := bucket.fullmatch(key))]
            bounds, counts = [float(bound) for bound, _ in buckets], [count for _, count in buckets]
            assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf")
            assert counts == sorted(counts)
            assert counts[-1] == now[f'{name}_count{{route="{route}"}}']
            assert 0 <= now[f'{name}_sum{{route="{route}"}}'] <= counts[-1] * 600


def test_the_gauges_show_what_runs(guarded: Stack, seen: Caller) -> None:
    stream = seen.count_on()
    stream.read(1)
    now = figures.metrics(guarded)
    assert now[f'appliance_running{{account="{seen.account}"}}'] == 1
    connections = {state: now[f'nginx_connections{{state="{state}"}}'] for state in STATES}
    # one that nginx lets end slowly, after a malformed request, is active and nothing else
    assert connections["active"] >= sum(connections[state] for state in STATES[1:])
    assert connections["writing"] >= 2, "the stream and the question for the figures"
    stream.close()
    figures.wait_idle(guarded, seen.account)


@pytest.mark.parametrize("path", ["/metrics", "/nginx_status", "/stub_status"])
def test_the_figures_are_not_for_the_door(guarded: Stack, seen: Caller, path: str) -> None:
    assert seen.get(path).status_code == 404
    assert requests.get(guarded.url + path, timeout=30).status_code == 404
