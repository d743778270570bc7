"""The service over HTTP, between a client and an engine that does what it is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from unit.openai_api import recorded
from unit.openai_api.asking import ASKED, CHAT, COMPLETIONS, DONE, STREAMED, refusal, stream
from unit.openai_api.fake_engine import WHOLE, FakeEngine, token

from chat_ui.status import PROBE_SECONDS
from harness.moving_host import is_found_where_it_is_now
from openai_api.engine import HEALTH_SECONDS, Engine
from openai_api.health import probe


async def test_a_whole_answer(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    engine.headers = {"x-prompt-tokens": "3", "x-generated-tokens": "2"}
    caller = {
        "X-Request-ID": "r-12345678",
        "X-Account": "user:ann",
        "X-Conversation-ID": "c1",
    }
    async with http.post(
        CHAT, json={**ASKED, "top_p": 1}, headers={**caller, "Authorization": "Bearer k"}
    ) as response:
        answer = await response.json()
    assert answer["choices"][0]["message"]["content"] == "Hello."
    # by these the door counts
    assert response.headers["x-prompt-tokens"] == "3"
    assert response.headers["x-generated-tokens"] == "2"
    ((path, headers, body),) = engine.asked
    assert (path, body) == (CHAT, ASKED)
    assert {name: headers.get(name) for name in caller} == caller
    assert headers["X-Appliance-Proof"] == "0123abcd"
    assert "Authorization" not in headers


async def test_tokens_are_sent_as_they_come(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    engine.stream = [token("one"), None, token("two", '"stop"') + DONE]
    async with http.post(CHAT, json=STREAMED) as response:
        first = await response.content.readuntil(b"\n\n")
        assert b'"content":"one"' in first
        engine.go_on.set()
        rest = recorded.events(await response.read())
    assert [event if event == "[DONE]" else event["choices"][0]["finish_reason"] for event in rest] == [
        "stop",
        "[DONE]",
    ]


async def test_a_sign_of_life_before_the_first_token_is_passed_on(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    engine.stream = [b":\n\n", None, token("one", '"stop"') + DONE]
    async with http.post(CHAT, json=STREAMED) as response:
        assert await response.content.readuntil(b"\n\n") == b":\n\n"
        engine.go_on.set()
        assert len(recorded.events(await response.read())) == 2


@pytest.mark.parametrize(
    ("name", "status", "code", "retry"),
    [
        ("chat too long stream", 400, "context_length_exceeded", None),
        ("full completions stream", 429, "overloaded", "5"),
    ],
)
async def test_an_error_before_the_first_token_is_a_status(
    http: aiohttp.ClientSession, engine: FakeEngine, name: str, status: int, code: str, retry: str | None
) -> None:
    engine.stream = [recorded.body(name)]
    error = await refusal(http, status, json=STREAMED)
    assert (error["code"], error["retry"]) == (code, retry)


async def test_an_error_after_it_is_an_event(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    words = "Request failed during generation: Server error: out of memory"
    told = json.dumps({"error": {"message": words, "http_status_code": 422}}).encode()
    engine.stream = [token("one"), b"data: " + told + b"\n\n" + DONE]
    _, error, done = await stream(http)
    assert error == {
        "error": {"message": words, "type": "server_error", "param": None, "code": "engine_error"}
    }
    assert done == "[DONE]"


@pytest.mark.parametrize("before", [[], [token("one")]])
async def test_an_engine_that_breaks_off(
    http: aiohttp.ClientSession, engine: FakeEngine, before: list[bytes | Exception | None]
) -> None:
    engine.stream = [*before, ConnectionError()]
    if before:
        _, error, _ = await stream(http)
        assert error["error"]["code"] == "engine_broke_off"
    else:
        assert (await refusal(http, 500, json=STREAMED))["code"] == "engine_broke_off"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ((422, recorded.body("chat too long")), 400, "context_length_exceeded"),
        ((422, recorded.body("chat tools, choice unknown")), 400, None),
        ((422, recorded.body("chat messages null content")), 400, None),
        ((429, recorded.body("full chat")), 429, "overloaded"),
        ((429, {"error": "Too many.", "code": "rate_limited"}), 429, "rate_limited"),
        (
            (424, {"error": "Request failed during generation: x", "error_type": "generation"}),
            500,
            "engine_error",
        ),
        (
            (500, {"error": "Incomplete generation", "error_type": "incomplete_generation"}),
            500,
            "engine_error",
        ),
        ((413, b"length limit exceeded"), 413, "request_too_large"),
        ((502, b"<html>"), 503, "engine_unavailable"),
        ((503, {"error": {"message": "Loading.", "code": "model_not_ready"}}), 503, "model_not_ready"),
        ((200, b"not json"), 500, "engine_error"),
        ((200, {}), 500, "engine_error"),
    ],
)
async def test_an_error_of_the_engine(
    http: aiohttp.ClientSession, engine: FakeEngine, answer: tuple[int, Any], status: int, code: str | None
) -> None:
    engine.answer, engine.headers = answer, {"Retry-After": "7"}
    for body in (ASKED, STREAMED) if answer[0] != 200 else (ASKED,):
        error = await refusal(http, status, json=body)
        assert error["code"] == code
        assert error["retry"] == ("7" if status in (429, 503) else None)


GRAMMAR = "Invalid grammar: Grammar error: cannot compile regex from schema: x"


@pytest.mark.parametrize(
    ("path", "more", "words", "param"),
    [
        (CHAT, ASKED, None, "messages"),
        (COMPLETIONS, {"prompt": "a"}, None, "prompt"),
        (CHAT, {**ASKED, "response_format": {"type": "json_object"}}, GRAMMAR, "response_format"),
        (CHAT, {**ASKED, "tools": [{"type": "function", "function": {"name": "f"}}]}, GRAMMAR, "tools"),
    ],
)
async def test_an_error_of_the_engine_names_the_field_that_was_sent(
    http: aiohttp.ClientSession,
    engine: FakeEngine,
    path: str,
    more: Any,
    words: str | None,
    param: str,
) -> None:
    told = {"error": words, "error_type": "validation"} if words else recorded.body("chat too long")
    engine.answer = (422, told)
    assert (await refusal(http, 400, path, json=more))["param"] == param
    if words is None:
        engine.answer, engine.stream = (200, None), [recorded.body("chat too long stream")]
        assert (await refusal(http, 400, path, json={**more, "stream": True}))["param"] == param


async def test_no_engine(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    engine.answer = (503, {"error": "The engine cannot be reached.", "code": "unavailable"})
    error = await refusal(http, 503, json=ASKED)
    assert (error["type"], error["code"]) == ("service_unavailable", "engine_unavailable")
    assert int(error["retry"]) > 0


@pytest.mark.parametrize("body", [ASKED, STREAMED])
async def test_who_leaves_stops_the_engine(
    http: aiohttp.ClientSession, engine: FakeEngine, body: Any
) -> None:
    engine.answer, engine.stream = (200, None), [token("one"), None]
    asking = asyncio.create_task(http.post(CHAT, json=body).__aenter__())
    if body is STREAMED:
        response = await asking
        await response.content.readuntil(b"\n\n")
        response.close()
    else:
        async with asyncio.timeout(10):
            while not engine.asked:
                await asyncio.sleep(0.01)
        asking.cancel()
    async with asyncio.timeout(10):
        await engine.left.wait()


async def test_after_a_stop_the_engine_is_left(http: aiohttp.ClientSession, engine: FakeEngine) -> None:
    engine.stream = [token("one"), token(" two"), None]
    events = await stream(http, {**STREAMED, "stop": "ne t", "stream_options": {"include_usage": True}})
    assert [event["choices"][0]["delta"]["content"] for event in events[:2]] == ["o", ""]
    assert events[1]["choices"][0]["finish_reason"] == "stop"
    assert events[2]["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    async with asyncio.timeout(10):
        await engine.left.wait()


async def test_prompts_whose_answers_were_stopped_are_counted_for_nginx(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    frame = b'data: {"object":"text_completion","id":"","created":1,"model":"m","choices":[%s]}\n\n'
    engine.stream = [
        frame % b'{"index":%d,"text":" x","logprobs":null,"finish_reason":""}' % index for index in (0, 1)
    ]
    asked = {"prompt": ["a b", "c"], "stop": "x", "stream": True}
    events = await stream(http, asked, COMPLETIONS)
    assert [event["usage"]["prompt_tokens"] for event in events[:-1] if "usage" in event] == [2, 1]


async def test_nginx_is_found_at_its_new_address_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[Engine] = []

    async def ask(url: str) -> None:
        if not clients:
            clients.append(await Engine(url).__aenter__())
        assert await clients[0].is_healthy()

    await is_found_where_it_is_now(monkeypatch, ask)
    await clients[0].__aexit__()


async def test_a_count_that_nobody_waits_for_is_stopped(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    engine.counts = None
    for path, body in ((f"/count{CHAT}", ASKED), (f"/count{COMPLETIONS}", {"prompt": "a"})):
        engine.asked.clear()
        engine.left.clear()
        asking = asyncio.create_task(http.post(path, json=body).__aenter__())
        async with asyncio.timeout(10):
            while not engine.asked:
                await asyncio.sleep(0.01)
            asking.cancel()
            await engine.left.wait()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {**ASKED, "response_format": {"type": "regex", "value": "a+"}}),
        (CHAT, {**ASKED, "tool_prompt": "x"}),
        (COMPLETIONS, {"prompt": "a", "repetition_penalty": 1.1}),
    ],
)
async def test_tgis_own_form_is_left_to_nginx(
    http: aiohttp.ClientSession, engine: FakeEngine, path: str, body: Any
) -> None:
    async with http.post(path, json=body) as response:
        assert response.headers["X-Accel-Redirect"] == "@engine_as_is"
    assert engine.asked == []


async def test_prompts_are_counted_as_the_engine_would_get_them(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    async with http.post(f"/count{CHAT}", json={**ASKED, "top_p": 1, "stream": True}) as response:
        assert await response.json() == {"tokens": 2}
    assert engine.asked.pop()[2] == STREAMED
    async with http.post(f"/count{CHAT}", json={**ASKED, "tool_prompt": "x"}) as response:
        assert await response.json() == {"tokens": 2}
    async with http.post(f"/count{COMPLETIONS}", json={"prompt": ["a b", "c"]}) as response:
        assert await response.json() == {"tokens": 3}
    await refusal(http, 400, f"/count{CHAT}", json={**ASKED, "n": 2})


async def test_models(http: aiohttp.ClientSession) -> None:
    model = {"id": "Org/model", "object": "model", "created": 0, "owned_by": "Org/model", "max_model_len": 64}
    async with http.get("/v1/models") as response:
        assert await response.json() == {"object": "list", "data": [model]}
    async with http.get("/v1/models/Org/model") as response:
        assert await response.json() == model
    async with http.get("/v1/models/gpt-4o") as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/responses", "/nothing"])
async def test_a_route_that_is_not_here(http: aiohttp.ClientSession, path: str) -> None:
    assert (await refusal(http, 404, path, json={}))["code"] == "not_found"


async def test_a_method_that_is_not_for_a_route(http: aiohttp.ClientSession) -> None:
    async with http.get(CHAT) as response:
        assert response.status == 405
        assert (await response.json())["error"]["code"] == "method_not_allowed"


async def test_health_says_whether_there_is_an_engine(
    http: aiohttp.ClientSession, engine: FakeEngine
) -> None:
    async def status() -> int:
        async with http.get("/health") as response:
            return response.status

    async with asyncio.timeout(20):
        while await status() != 200:
            await asyncio.sleep(0.05)
        engine.healthy = False
        assert await status() == 503, "not what was true when the engines were last looked at"


async def test_an_engine_that_is_too_busy_to_say_how_it_is(
    http: aiohttp.ClientSession, engine: FakeEngine, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker hears that this service is well; who asks for both hears it before he gives up."""
    async with asyncio.timeout(20):
        while (await http.get("/health")).status != 200:
            await asyncio.sleep(0.05)
    engine.healthy = None
    asking = asyncio.create_task(http.get("/health").__aenter__())
    assert await asyncio.to_thread(probe, str(port)) == (True, "ok")
    assert not asking.done()
    asking.cancel()
    assert HEALTH_SECONDS < PROBE_SECONDS
    monkeypatch.setattr("openai_api.engine.HEALTH_SECONDS", 0.05)
    async with http.get("/health") as response:
        assert response.status == 503


async def test_a_service_that_is_not_there_is_not_well(port: int) -> None:
    is_well, line = await asyncio.to_thread(probe, str(port))
    assert not is_well
    assert line.startswith("unhealthy: ")


def test_the_whole_answer_of_these_tests_is_tgis() -> None:
    assert set(WHOLE) <= set(json.loads(recorded.body("chat minimal")))
