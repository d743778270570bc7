"""The recorded exchanges with TGI v3.3.7, and what of an answer can be compared with another engine's.

`exchanges.jsonl` was recorded with TGI's own router and server: SmolLM2-135M-Instruct and `FLAGS`, besides a
prefill of 1024 tokens. Headers that every answer has are not in it, and of events that differ only in their
values it has the first. Owns what counts as the same: everything but what the
model, the clock and the build decide.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAGS = ("--max-input-tokens=768", "--max-total-tokens=1024")
EVERYWHERE = {
    "vary": "origin, access-control-request-method, access-control-request-headers",
    "access-control-allow-origin": "*",
}
OF_THE_CONNECTION = {"content-length", "transfer-encoding", "date", "connection"}
MEASURED_HEADERS = {
    *("x-compute-type", "x-compute-time", "x-total-time", "x-validation-time", "x-queue-time"),
    *("x-inference-time", "x-time-per-token", "x-generated-tokens"),
}
GENERATED = {  # what the model or the clock decides, by key
    *("created", "generated_text", "content", "text", "token", "id", "logprob", "special", "seed"),
    *("arguments", "predictions", "generated_tokens", "completion_tokens", "total_tokens"),
}
OF_THE_BUILD = {"system_fingerprint", "sha", "docker_label", "validation_workers"}
UNPARSED = re.compile(r"(Failed to parse generated text: ).*", re.DOTALL)
_REASONS = {"length", "eos_token", "stop", "stop_sequence"}


@dataclass(frozen=True)
class Recorded:
    """One exchange. `raw` is what was sent byte by byte; `answer` the body, or then all bytes that came."""

    name: str
    flags: str
    raw: str | None
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    status: int
    answer_headers: Mapping[str, object]
    answer: object

    @property
    def form(self) -> object:
        """What an answer must have to be the same."""
        headers = {**EVERYWHERE, **self.answer_headers}
        return (
            self.status,
            _headers(headers),
            _body(self.answer, str(headers.get("content-type", "")), self.path),
        )


def recorded() -> list[Recorded]:
    """All of them, in the order in which they were made."""
    lines = Path(__file__).with_name("exchanges.jsonl").read_text().splitlines()
    return [_exchange(json.loads(line)) for line in lines]


def form(path: str, status: int, headers: Mapping[str, str], body: bytes) -> object:
    """The same of an answer that has just come."""
    return status, _headers(headers), _body(body.decode(), headers.get("content-type", ""), path)


def difference(expected: object, found: object, path: str = "") -> str:
    """The first place in which two forms differ, or nothing."""
    if expected == found:
        return ""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *found]:
            missing = "nothing"
            if expected.get(key, missing) != found.get(key, missing):
                return difference(expected.get(key, missing), found.get(key, missing), f"{path}.{key}")
        return f"{path}: keys in the order {list(expected)}, found {list(found)}"
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple) and len(expected) == len(found):
        return next(
            difference(one, other, f"{path}[{i}]")
            for i, (one, other) in enumerate(zip(expected, found, strict=True))
            if one != other
        )
    return f"{path}: expected {str(expected)[:300]}, found {str(found)[:300]}"


def _exchange(line: dict[str, Any]) -> Recorded:
    method, path, headers = line.get("request", ("", "", {}))
    return Recorded(
        name=line["name"],
        flags=line.get("flags", ""),
        raw=line.get("raw"),
        method=method,
        path=path,
        headers=headers,
        body=_sent(line.get("body")),
        status=line.get("status", 0),
        answer_headers=line.get("headers", {}),
        answer=line["answer"],
    )


def _sent(body: Any) -> bytes | None:
    match body:
        case None:
            return None
        case str():
            return body.encode()
        case {"base64": encoded}:
            return base64.b64decode(encoded)
        case {"words": count}:
            return str(body["before"] + "word " * count + body["after"]).encode()
        case {"repeated": size, "start": start}:
            filled = start + "a" * (size - len(start) - len('"}]}'))
            return f'{filled}"}}]}}'.encode()
    raise ValueError(body)


def _headers(headers: Mapping[str, object]) -> dict[str, object]:
    return {
        name: "measured" if name in MEASURED_HEADERS else value
        for name, value in sorted(headers.items())
        if name not in OF_THE_CONNECTION
    }


def _body(body: object, kind: str, path: str) -> object:
    if isinstance(body, dict):  # of a long one only the start was kept
        return "a long body" if body["length"] else ""
    text = str(body)
    if len(text) > 30_000 or (path in ("/metrics", "/api-doc/openapi.json") and text):
        return "a long body"
    if kind.startswith("text/event-stream"):
        return _events(text)
    if not kind.startswith("application/json"):
        return text
    value = json.loads(text)
    return value if "tokenize" in path else _masked(value)


def _events(text: str) -> list[object]:
    """The events, those that differ only in their values once."""
    assert text.endswith("\n\n")
    events: list[object] = []
    for lines in text.split("\n\n")[:-1]:
        data = lines.removeprefix("data: ")
        event = data if data == "[DONE]" else _masked(json.loads(data))
        if not events or events[-1] != event:
            events.append(event)
    return events


def _masked(value: Any, key: str = "") -> object:
    """The value with what may differ replaced by its type; lists of tokens have their different members."""
    if isinstance(value, dict):
        if set(value) == {"error", "error_type"}:
            return {**value, "error": UNPARSED.sub(r"\1…", value["error"])}
        return {name: _masked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        if key == "choices":
            value = sorted(value, key=lambda choice: int(choice["index"]))
        masked = [_masked(item, key) for item in value]
        return [item for i, item in enumerate(masked) if key == "choices" or item not in masked[:i]]
    if key in OF_THE_BUILD:
        return "of the build"
    if key == "finish_reason" and value in _REASONS:
        return "a reason"
    if key == "index" and isinstance(value, int):
        return "index"
    if key not in GENERATED or value is None or (key == "id" and isinstance(value, str)):
        return value
    return {str: "text", bool: "flag"}.get(type(value), "number")
