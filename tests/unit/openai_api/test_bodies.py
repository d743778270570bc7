"""Bodies that are no request, too large, long or odd."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import pytest
from unit.openai_api.asking import CHAT, COMPLETIONS, refusal
from unit.openai_api.fake_engine import FakeEngine

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"data": b"{}"}, 400, "invalid_content_type"),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 400, "invalid_content_type"),
        ({"data": b"", "headers": JSON}, 400, "invalid_json"),
        ({"data": b'{"messages": [', "headers": JSON}, 400, "invalid_json"),
        ({"data": b"[]", "headers": JSON}, 400, "invalid_json"),
        ({"data": b"null", "headers": JSON}, 400, "invalid_json"),
        ({"data": b'{"temperature": NaN}', "headers": JSON}, 400, "invalid_json"),
        ({"data": b'{"temperature": 1e999}', "headers": JSON}, 400, "invalid_json"),
        ({"data": b'{"user": "\\ud800"}', "headers": JSON}, 400, "invalid_json"),
        ({"data": b"\xff\xfe", "headers": JSON}, 400, "invalid_json"),
        ({"data": b"[" * 100_000, "headers": JSON}, 400, "invalid_json"),
        ({"data": b'{"a":' * 900 + b"1" + b"}" * 900, "headers": JSON}, 400, "unknown_parameter"),
    ],
)
async def test_a_body_that_is_none(
    http: aiohttp.ClientSession, engine: FakeEngine, request_: dict[str, Any], status: int, code: str
) -> None:
    for path in (CHAT, COMPLETIONS, f"/count{CHAT}"):
        assert (await refusal(http, status, path, **request_))["code"] == code
    assert engine.asked == []


async def test_a_body_that_is_too_large(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    """It is read to its end: who still sends would not see the answer."""
    for size in (2_000_001, 20_000_000):
        error = await refusal(http, 413, data=io.BytesIO(b" " * size), headers=JSON)
        assert error["code"] == "request_too_large"
    assert engine.asked == []


async def test_a_long_request_is_as_a_short_one(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    long = {"messages": [{"role": "user", "content": "a" * 100_000}]}
    async with http.post(CHAT, json={**long, "top_p": 1}) as response:
        assert response.status == 200
    assert engine.asked[0][2] == long
    assert (await refusal(http, 400, json={**long, "n": 2}))["param"] == "n"


async def test_the_last_of_two_equal_keys_counts(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    body = b'{"max_tokens": "x", "max_tokens": 3, "messages": [{"role": "user", "content": "\\u0000"}]}'
    async with http.post(
        CHAT, data=body, headers={"Content-Type": "application/json; charset=utf-8"}
    ) as response:
        assert response.status == 200
    assert engine.asked[0][2] == {"messages": [{"role": "user", "content": "\0"}], "max_tokens": 3}
