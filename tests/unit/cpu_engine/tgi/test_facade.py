"""The façade on a scripted llama.cpp: answers, streams and what is asked of llama.cpp."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from starlette.types import Message
from unit.cpu_engine.scripted_facade import frame, last_frame, running_facade

from cpu_engine.llama import client
from cpu_engine.tgi import inference
from cpu_engine.tgi.sse import EventStream

pytestmark = pytest.mark.asyncio
PROMPT = {"inputs": "abc", "parameters": {}}
CHAT = {"messages": [{"role": "user", "content": "x"}]}
ANSWER = [frame("Hi", 5, 1), frame("<end>", 2, 2), last_frame("eos", 2)]


async def test_generate_and_its_details() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        async with facade.session.post(
            "/generate", json={"inputs": "abc", "parameters": {"details": True}}
        ) as response:
            body, headers = await response.json(), response.headers
    assert body == {
        "generated_text": "Hi",
        "details": {
            "finish_reason": "eos_token",
            "generated_tokens": 2,
            "seed": None,
            "prefill": [],
            "tokens": [
                {"id": 5, "text": "Hi", "logprob": -0.5, "special": False},
                {"id": 2, "text": "<end>", "logprob": -0.5, "special": True},
            ],
        },
    }
    assert (headers["x-prompt-tokens"], headers["x-generated-tokens"]) == ("3", "2")
    assert (headers["x-compute-type"], headers["x-compute-characters"]) == ("cpu", "3")
    for name in ("total", "validation", "queue", "inference", "compute"):
        assert float(headers[f"x-{name}-time"]) >= 0
    assert int(headers["x-time-per-token"]) >= 0


async def test_without_details_only_the_text() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        assert await facade.post("/generate", PROMPT) == (200, '{"generated_text":"Hi"}')


async def test_the_root_route_answers_a_list_with_the_prompt() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        assert await facade.post("/", PROMPT) == (200, '[{"generated_text":"abcHi"}]')
        *_, last = await facade.stream("/", {**PROMPT, "stream": True})
        assert json.loads(last)["generated_text"] == "abcHi"


async def test_frames_of_generate_stream_byte_for_byte() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        async with facade.session.post("/generate_stream", json=PROMPT) as response:
            text, headers = await response.text(), response.headers
    assert text == (
        'data: {"index":1,"token":{"id":5,"text":"Hi","logprob":-0.5,"special":false},'
        '"generated_text":null,"details":null}\n\n'
        'data: {"index":2,"token":{"id":2,"text":"<end>","logprob":-0.5,"special":true},'
        '"generated_text":"Hi","details":null}\n\n'
    )
    assert headers["content-type"] == "text/event-stream"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")


async def test_chunks_of_a_chat_stream() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
        *chunks, done = await facade.stream("/v1/chat/completions", body)
    assert done == "[DONE]"
    first, last, used = (json.loads(chunk) for chunk in chunks)
    assert first["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "logprobs": None, "finish_reason": None}
    ]
    assert (first["object"], first["id"], first["usage"]) == ("chat.completion.chunk", "", None)
    assert last["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert last["choices"][0]["finish_reason"] == "stop"
    assert used["choices"] == []
    assert used["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


async def test_chunks_of_a_completion_stream() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        *chunks, done = await facade.stream("/v1/completions", {"prompt": "abc", "stream": True})
    first, last = (json.loads(chunk) for chunk in chunks)
    assert first["choices"] == [{"index": 0, "text": "Hi", "logprobs": None, "finish_reason": ""}]
    assert "usage" not in first
    assert last["choices"][0]["finish_reason"] == "eos_token"
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert done == "[DONE]"


async def test_a_special_token_that_does_not_end_the_text() -> None:
    async with running_facade() as facade:
        frames = [frame("<start>", 1, 1), frame("Hi", 5, 2), frame("<end>", 2, 3), last_frame("eos", 3)]
        facade.llama.frames = frames
        events = [json.loads(data) for data in await facade.stream("/generate_stream", PROMPT)]
    assert [(e["index"], e["token"]["special"]) for e in events] == [(1, True), (2, False), (3, True)]
    assert events[-1]["generated_text"] == "Hi"


async def test_the_limit_cuts_a_character_and_still_counts_every_token() -> None:
    async with running_facade() as facade:
        facade.llama.frames = [frame("a", 5, 1), frame("🦜", 12, 4, "🦜".encode())]
        body = {"inputs": "abc", "parameters": {"max_new_tokens": 3, "details": True}}
        events = [json.loads(data) for data in await facade.stream("/generate_stream", body)]
    assert [(e["token"]["id"], e["token"]["text"]) for e in events] == [(5, "a"), (10, ""), (11, "")]
    assert events[-1]["generated_text"] == "a"
    assert events[-1]["details"]["finish_reason"] == "length"
    assert facade.llama.bodies[0]["n_predict"] > 3


async def test_the_body_for_a_greedy_and_a_sampled_request() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        await facade.post("/generate", PROMPT)
        sampled = {
            "temperature": 0.5,
            "top_k": 9,
            "top_p": 0.5,
            "seed": 2**64 - 1,
            "frequency_penalty": 1.5,
            "max_new_tokens": 10,
        }
        await facade.post("/generate", {"inputs": "abc", "parameters": sampled})
    greedy, asked = facade.llama.bodies
    assert (greedy["prompt"], greedy["temperature"]) == ([97, 98, 99], 0.0)
    assert greedy["samplers"] == ["penalties", "temperature"]
    assert greedy["n_predict"] >= 512 - 3  # null fills up to max_total_tokens
    assert (greedy["cache_prompt"], asked["cache_prompt"]) == (True, False)
    assert asked["samplers"] == ["penalties", "temperature", "top_k", "top_p", "typ_p"]
    assert (asked["temperature"], asked["top_k"], asked["top_p"], asked["typical_p"]) == (0.5, 9, 0.5, 1.0)
    assert asked["frequency_penalty"] == 0.5  # TGI divides by the length, here three tokens
    assert 0 <= asked["seed"] < 2**32 - 1


async def test_a_grammar_keeps_nobody_from_their_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[threading.Thread] = []

    def noted(work: Callable[[Any], str]) -> Callable[[Any], str]:
        def do(given: Any) -> str:
            seen.append(threading.current_thread())
            return work(given)

        return do

    for module, name in ((inference, "grammar_pattern"), (client, "grammar_of")):
        monkeypatch.setattr(module, name, noted(getattr(module, name)))
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        grammar = {"type": "json", "value": {"properties": {"a": {"type": "null"}}}}
        status, _ = await facade.post("/generate", {"inputs": "abc", "parameters": {"grammar": grammar}})
    assert (status, len(seen)) == (200, 2)
    assert threading.current_thread() not in seen


async def test_truncate_keeps_the_tail() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        await facade.post("/generate", {"inputs": "abcdef", "parameters": {"truncate": 2}})
    assert facade.llama.bodies[0]["prompt"] == [ord("e"), ord("f")]


@pytest.mark.parametrize(
    ("content", "continued"), [("Sure, ", "<u>hi<a>Sure,"), ("", "<u>hi<a>Sure, <end><a>")]
)
async def test_a_last_assistant_message_is_continued(content: str, continued: str) -> None:
    async with running_facade() as facade:
        facade.llama.template = (200, {"prompt": "<u>hi<a>Sure, <end><a>\n"})
        messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]
        status, text = await facade.post("/chat_tokenize", {"messages": messages})
    assert (status, json.loads(text)["templated_text"]) == (200, continued)


async def test_metrics_have_tgis_names_and_types() -> None:
    async with running_facade() as facade:
        facade.llama.frames = ANSWER
        await facade.post("/generate", PROMPT)
        async with facade.session.get("/metrics") as response:
            lines = (await response.text()).splitlines()
    assert "# TYPE tgi_request_count counter" in lines
    assert "tgi_request_count 1.0" in lines
    assert "tgi_request_success 1.0" in lines
    assert 'tgi_request_failure{err="dropped"} 0.0' in lines
    assert "# TYPE tgi_queue_size gauge" in lines
    assert "# TYPE tgi_request_inference_duration histogram" in lines
    assert "tgi_request_generated_tokens_sum 2.0" in lines
    assert not [line for line in lines if "_total" in line or "_created" in line]


async def test_info_and_models() -> None:
    async with running_facade() as facade:
        async with facade.session.get("/info") as response:
            info = await response.json()
        async with facade.session.get("/v1/models") as response:
            models = await response.json()
    assert (info["model_id"], info["max_input_tokens"], info["max_total_tokens"]) == ("toy/model", 511, 512)
    assert (info["model_sha"], info["router"]) == (None, "text-generation-router")
    model = {"id": "toy/model", "object": "model", "created": 0, "owned_by": "toy/model"}
    assert models == {"object": "list", "data": [model]}


async def test_an_idle_stream_sends_comments() -> None:
    release = asyncio.Event()
    sent: list[bytes] = []

    async def events() -> AsyncGenerator[bytes, None]:
        await release.wait()
        yield b"data: {}\n\n"

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))
        if sent.count(b":\n\n") == 2:
            release.set()

    async def receive() -> Message:
        return await asyncio.Future()

    await EventStream(events(), 0, keep_alive_s=0.01)({}, receive, send)
    assert b"".join(sent).startswith(b":\n\n:\n\n")
    assert b"".join(sent).endswith(b"data: {}\n\n")
