"""Answers recorded with TGI v3.3.7's own router and server (SmolLM2-135M-Instruct)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LINES = Path(__file__).with_name("recorded.jsonl").read_text().splitlines()
_BY_NAME = {entry["name"]: entry for entry in map(json.loads, _LINES)}


def body(name: str) -> bytes:
    """The bytes that TGI sent."""
    return str(_BY_NAME[name]["body"]).encode()


def status(name: str) -> int:
    """With which status."""
    return int(_BY_NAME[name]["status"])


def events(stream: bytes) -> list[Any]:
    """The `data:` payloads of a stream: parsed JSON, or [DONE]."""
    frames = stream.decode().split("\n\n")
    assert frames.pop() == ""
    told = [frame.removeprefix("data: ") for frame in frames if not frame.startswith(":")]
    return [one if one == "[DONE]" else json.loads(one) for one in told]
