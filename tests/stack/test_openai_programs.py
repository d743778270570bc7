"""Coding agents and front ends: the requests that they send, written out in programs.json, are answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.sse import events
from harness.stack import Stack

SENT: list[dict[str, Any]] = json.loads(Path(__file__).with_name("programs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sent", SENT, ids=[sent["program"] for sent in SENT])
def test_a_programs_request_is_answered(stack: Stack, sent: dict[str, Any]) -> None:
    path, body = sent.get("path", "/v1/chat/completions"), sent["body"]
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body:
            body[name] = min(body[name], 64)
    with requests.post(stack.url + path, json=body, stream=body["stream"], timeout=120) as response:
        assert response.status_code == 200, response.text
        if not body["stream"]:
            (choice,) = response.json()["choices"]
            assert isinstance(choice["message"]["content"], str) or choice["message"]["tool_calls"]
            assert (choice["finish_reason"] == "tool_calls") == ("tool_choice" in body)
            return
        *frames, done = list(events(response))
    assert done == "[DONE]"
    assert [frame for frame in frames if "error" in frame] == []
    reasons = [frame["choices"][0]["finish_reason"] for frame in frames if frame["choices"]]
    assert reasons[-1] in ("stop", "length", "tool_calls")
    assert set(reasons[:-1]) <= {None}
    asked = body.get("stream_options", {}).get("include_usage", False)
    assert (frames[-1]["choices"] == [] and frames[-1]["usage"]["completion_tokens"] > 0) == asked
