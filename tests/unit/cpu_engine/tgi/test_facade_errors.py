"""The façade on a scripted llama.cpp: everything that goes wrong, in TGI's shapes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from unit.cpu_engine.scripted_facade import TOY_MODEL, Facade, frame, last_frame, running_facade

pytestmark = pytest.mark.asyncio
PROMPT = {"inputs": "abc", "parameters": {}}
CHAT = {"messages": [{"role": "user", "content": "x"}]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
ANSWER = [frame("Hi", 5, 1), frame("<end>", 2, 2), last_frame("eos", 2)]
GENERATION_ERROR = "Request failed during generation: Server error: "


async def _failures(facade: Facade, kind: str) -> float:
    async with facade.session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(
        float(line.split()[1]) for line in lines if line.startswith(f'tgi_request_failure{{err="{kind}"}}')
    )


async def test_llama_cpp_dies_in_the_middle() -> None:
    async with running_facade() as facade:
        facade.llama.frames = [frame("Hi", 5, 1), "die"]
        status, text = await facade.post("/generate", PROMPT)
        assert (status, json.loads(text)["error_type"]) == (424, "generation")
        assert json.loads(text)["error"].startswith(GENERATION_ERROR)
        *_, event = await facade.stream("/generate_stream", PROMPT)
        assert json.loads(event)["error_type"] == "generation"
        *_, error, done = await facade.stream("/v1/chat/completions", {**CHAT, "stream": True})
        assert json.loads(error)["error"]["http_status_code"] == 422
        assert json.loads(error)["error"]["message"].startswith(GENERATION_ERROR)
        assert done == "[DONE]"
        assert await _failures(facade, "generation") == 3


async def test_llama_cpp_ends_too_early() -> None:
    async with running_facade() as facade:
        facade.llama.frames = [frame("Hi", 5, 1)]
        assert await facade.post("/generate", PROMPT) == (
            500,
            '{"error":"Incomplete generation","error_type":"incomplete_generation"}',
        )
        *_, event = await facade.stream("/generate_stream", PROMPT)
        assert json.loads(event) == {
            "error": "Incomplete generation stream",
            "error_type": "incomplete_generation_stream",
        }
        assert await _failures(facade, "incomplete") == 2


async def test_no_connection_to_llama_cpp_is_used_twice() -> None:
    """It closes one without notice after a stream; under load that lost one request in a hundred."""
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        for _ in range(2):
            assert (await facade.post("/v1/chat/completions", CHAT))[0] == 200
        used = facade.llama.connections
        assert len(used) == len(set(used)) == 6  # the template, the tokens and the answer, twice


async def test_llama_cpp_refuses() -> None:
    async with running_facade() as facade:
        facade.llama.status = 500
        status, text = await facade.post("/generate", PROMPT)
        assert status == 424
        assert json.loads(text) == {"error": GENERATION_ERROR + "out of memory", "error_type": "generation"}


async def test_one_failed_prompt_fails_a_whole_batch() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ["die"]
        status, text = await facade.post("/v1/completions", {"prompt": ["a", "b"]})
        assert (status, json.loads(text)["error_type"]) == (424, "generation")


async def test_health_follows_llama_cpp() -> None:
    async with running_facade() as facade:
        for path in ("/health", "/ping", "/"):
            async with facade.session.get(path) as response:
                assert (response.status, await response.text()) == (200, "")
        facade.llama.status = 503
        async with facade.session.get("/health") as response:
            assert (response.status, await response.json()) == (
                503,
                {"error": "unhealthy", "error_type": "healthcheck"},
            )


@pytest.mark.parametrize(
    ("path", "body", "error", "error_type"),
    [
        ("/generate", {"inputs": ""}, "Input validation error: `inputs` cannot be empty", "validation"),
        (
            "/generate",
            {"inputs": "x", "parameters": {"best_of": 3}},
            "Input validation error: `best_of` must be > 0 and <= 2. Given: 3",
            "validation",
        ),
        (
            "/generate",
            {"inputs": "x" * 512},
            "Input validation error: `inputs` must have less than 511 tokens. Given: 512",
            "validation",
        ),
        (
            "/v1/completions",
            {"prompt": "x", "suffix": "y"},
            "Suffix is not supported and can be achieved by preprocessing the prompt.",
            "suffix not supported",
        ),
        (
            "/v1/completions",
            {"prompt": ["x"] * 5},
            "Number of prompts exceeds the maximum allowed batch size of 4",
            "batch size exceeded",
        ),
        (
            "/v1/chat/completions",
            {**CHAT, "tools": [TOOL], "tool_choice": "nope"},
            "Tool error: Tool with name nope not found",
            "tool_error",
        ),
        (
            "/v1/chat/completions",
            {**CHAT, "stream": True, "tools": [], "response_format": {"type": "json", "value": {}}},
            "Tool error: Grammar and tools are mutually exclusive",
            "tool_error",
        ),
        (
            "/v1/chat/completions",
            {**CHAT, "response_format": {"type": "json_object", "value": {}}},
            "Input validation error: grammar is not valid: Grammar must have a 'properties' field",
            "validation",
        ),
        (
            "/v1/chat/completions",
            {**CHAT, "top_logprobs": 6},
            "Input validation error: `top_n_tokens` must be >= 0 and <= 5. Given: 6",
            "validation",
        ),
    ],
)
async def test_what_is_refused(path: str, body: dict[str, Any], error: str, error_type: str) -> None:
    async with running_facade() as facade:
        status, text = await facade.post(path, body)
        assert (status, json.loads(text)) == (422, {"error": error, "error_type": error_type})
        assert facade.llama.bodies == []


async def test_validation_errors_travel_inside_streams() -> None:
    async with running_facade() as facade:
        bad = {"inputs": "x", "parameters": {"top_p": 1}}
        message = "Input validation error: `top_p` must be > 0.0 and < 1.0"
        assert [json.loads(d) for d in await facade.stream("/generate_stream", bad)] == [
            {"error": message, "error_type": "validation"}
        ]
        wrapped = {"error": {"message": message, "http_status_code": 422}}
        for path, body in (("/v1/chat/completions", CHAT), ("/v1/completions", {"prompt": "x"})):
            error, done = await facade.stream(path, {**body, "stream": True, "top_p": 1})
            assert (json.loads(error), done) == (wrapped, "[DONE]")
        assert await _failures(facade, "validation") == 3


async def test_the_template_refuses_or_is_missing() -> None:
    async with running_facade() as facade:
        facade.llama.template = (400, {"error": {"message": "roles must alternate"}})
        status, text = await facade.post("/v1/chat/completions", {**CHAT, "stream": True})
        assert (status, json.loads(text)) == (
            422,
            {"error": "Template error: roles must alternate", "error_type": "template_error"},
        )
        assert await _failures(facade, "template") == 1
    async with running_facade(model=replace(TOY_MODEL, has_chat_template=False)) as facade:
        status, text = await facade.post("/chat_tokenize", CHAT)
        assert (status, json.loads(text)["error"]) == (422, "Template error: template not found")


async def test_bodies_that_never_become_requests() -> None:
    async with running_facade("--payload-limit", "50") as facade:
        cases = [
            (
                b'{"inputs": ',
                {"content-type": "application/json"},
                400,
                "Failed to parse the request body as JSON",
            ),
            (
                b'{"inputs": 1}',
                {"content-type": "application/json"},
                422,
                "Failed to deserialize the JSON body",
            ),
            (
                b"{}",
                {"content-type": "text/plain"},
                415,
                "Expected request with `Content-Type: application/json`",
            ),
            (b'"%s"' % (b"x" * 50), {"content-type": "application/json"}, 413, "length limit exceeded"),
        ]
        for body, headers, status, text in cases:
            async with facade.session.post("/generate_stream", data=body, headers=headers) as response:
                assert (response.status, response.content_type) == (status, "text/plain")
                assert text in await response.text()
        async with facade.session.get("/generate") as response:
            assert (response.status, await response.text()) == (405, "")
        async with facade.session.get("/nothing") as response:
            assert (response.status, await response.text()) == (404, "")


async def test_a_full_engine_and_a_queue() -> None:
    flags = ("--parallel", "1", "--max-concurrent-requests", "2")
    async with running_facade(*flags) as facade:
        facade.llama.frames = [*ANSWER[:1], "wait", *ANSWER[1:]]
        waiting = [asyncio.create_task(facade.post("/generate", PROMPT)) for _ in range(2)]
        while not facade.llama.bodies or await _gauge(facade, "tgi_queue_size") < 1:
            await asyncio.sleep(0.01)
        assert await _gauge(facade, "tgi_batch_current_size") == 1
        overloaded = {"error": "Model is overloaded", "error_type": "overloaded"}
        status, text = await facade.post("/generate", PROMPT)
        assert (status, json.loads(text)) == (429, overloaded)
        assert [json.loads(d) for d in await facade.stream("/generate_stream", PROMPT)] == [overloaded]
        error, done = await facade.stream("/v1/chat/completions", {**CHAT, "stream": True})
        assert json.loads(error) == {"error": {"message": "Model is overloaded", "http_status_code": 422}}
        assert done == "[DONE]"
        facade.llama.release.set()
        assert await asyncio.gather(*waiting) == [(200, '{"generated_text":"Hi"}')] * 2
        assert await facade.post("/generate", PROMPT) == (200, '{"generated_text":"Hi"}')


async def _gauge(facade: Facade, name: str) -> float:
    async with facade.session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
