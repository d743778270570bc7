"""Reads Server-Sent Events as the engine sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import requests


def events(response: requests.Response) -> Iterator[Any]:
    """Yields each `data:` payload as it arrives: parsed JSON, or the bare text (``[DONE]``).

    Raises:
        AssertionError: on a line that is neither data, comment nor blank.
    """
    for raw in response.iter_lines(chunk_size=1):
        line = raw.decode()
        if not line or line.startswith(":"):
            continue
        assert line.startswith("data: "), f"not an event-stream line: {line!r}"
        payload = line.removeprefix("data: ")
        yield payload if payload == "[DONE]" else json.loads(payload)
