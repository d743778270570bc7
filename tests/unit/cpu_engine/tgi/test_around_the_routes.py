"""What is around TGI's routes: pages of other origins, the API key, the documents, the clouds' clothes."""

from __future__ import annotations

import json
import threading
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message
from unit.cpu_engine.scripted_facade import Facade, frame, last_frame, running_facade

from cpu_engine.tgi.http import read_json
from cpu_engine.tgi.openapi import DOCUMENT

PROMPT = {"inputs": "abc", "parameters": {}}
CHAT = {"messages": [{"role": "user", "content": "x"}]}
VARY = "origin, access-control-request-method, access-control-request-headers"


def _answer(text: str, logprob: float = -0.5) -> list[object]:
    said = frame(text, 5, 1)
    said["completion_probabilities"][0]["logprob"] = logprob  # type: ignore[index]
    return [said, frame("<end>", 2, 2), last_frame("eos", 2)]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/health", None),
        ("GET", "/nope", None),
        ("GET", "/generate", None),
        ("POST", "/generate", {"inputs": 5}),
        ("POST", "/generate", PROMPT),
        ("POST", "/generate_stream", PROMPT),
        ("POST", "/v1/chat/completions", {**CHAT, "top_p": 1}),
    ],
)
async def test_any_page_may_read_every_answer(method: str, path: str, body: object) -> None:
    async with running_facade() as facade:
        facade.llama.frames = _answer("Hi")
        async with facade.session.request(method, path, json=body) as response:
            headers = response.headers
    assert (headers["vary"], headers["access-control-allow-origin"]) == (VARY, "*")


async def test_a_preflight_needs_no_key() -> None:
    async with running_facade("--api-key", "sk-Test") as facade:
        for path, allowed in (("/v1/chat/completions", "POST"), ("/info", "GET,HEAD")):
            async with facade.session.options(path, headers={"origin": "http://a.example"}) as response:
                assert (response.status, await response.text()) == (200, "")
                assert response.headers["access-control-allow-methods"] == "GET,POST"
                assert response.headers["access-control-allow-headers"] == "content-type"
                assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer sk-Test", 200),
        ("bearer SK-TEST", 200),
        ("Bearer nope", 401),
        ("sk-Test", 401),
        ("Bearer sk-Té", 401),
        ("", 401),
    ],
)
async def test_the_key(authorization: str, status: int) -> None:
    async with running_facade("--api-key", "sk-Test") as facade:
        facade.llama.frames = _answer("Hi")
        headers = {"authorization": authorization}
        async with facade.session.post("/generate", json=PROMPT, headers=headers) as response:
            assert response.status == status
            assert response.status == 200 or await response.text() == ""


async def test_what_needs_no_key() -> None:
    async with running_facade("--api-key", "sk-Test") as facade:
        assert (await facade.post("/chat_tokenize", CHAT))[0] == 200
        async with facade.session.get("/v1/models") as response:
            assert response.status == 200


class _Links(HTMLParser):
    """Every address in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.operations = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.operations += tag == "summary"
        self.found += [value or "" for name, value in attrs if name in ("href", "src")]


async def test_the_page_shows_every_operation_without_another_host() -> None:
    async with running_facade() as facade:
        async with facade.session.get("/docs") as response:
            page, address = await response.text(), response.url.path
        async with facade.session.get("/api-doc/openapi.json") as response:
            document = await response.json()
    links = _Links(page)
    assert (address, links.found) == ("/docs/", ["/api-doc/openapi.json"])
    assert document == DOCUMENT
    assert links.operations == sum(len(methods) for methods in document["paths"].values())


def test_the_document_names_no_schema_that_is_not_there() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    schemas = DOCUMENT["components"]["schemas"]
    assert {name.rpartition("/")[2] for name in references(DOCUMENT)} <= schemas.keys()


async def test_the_likelier_of_two_answers() -> None:
    parameters = {"best_of": 2, "do_sample": True, "details": True}
    async with running_facade() as facade:
        facade.llama.answers = [_answer("worse", -2.0), _answer("better", -0.1)]
        status, text = await facade.post("/generate", {"inputs": "abc", "parameters": parameters})
    answer = json.loads(text)
    assert (status, answer["generated_text"]) == (200, "better")
    (other,) = answer["details"]["best_of_sequences"]
    assert (other["generated_text"], other["finish_reason"]) == ("worse", "eos_token")
    assert len({body["seed"] for body in facade.llama.bodies}) == 2


async def _posted(facade: Facade, path: str, body: object) -> Any:
    status, text = await facade.post(path, body)
    assert status == 200, text
    return json.loads(text)


async def test_sagemaker_asks_in_three_ways() -> None:
    async with running_facade() as facade:
        facade.llama.frames = _answer("Hi")
        assert await _posted(facade, "/invocations", PROMPT) == [{"generated_text": "abcHi"}]
        assert (await _posted(facade, "/invocations", CHAT))["object"] == "chat.completion"
        assert (await _posted(facade, "/invocations", {"prompt": "x"}))["object"] == "text_completion"
        *_, done = await facade.stream("/invocations", {**CHAT, "stream": True})
        assert done == "[DONE]"
        nothing = (
            "Failed to deserialize the JSON body into the target type: data did not match any variant of "
        )
        assert await facade.post("/invocations", {}) == (422, f"{nothing}untagged enum SagemakerRequest")


async def test_vertex_wants_texts() -> None:
    async with running_facade() as facade:
        facade.llama.frames = _answer("Hi")
        instances = [{"inputs": "abc", "parameters": None}, CHAT]
        assert await _posted(facade, "/vertex", {"instances": instances}) == {"predictions": ["Hi", "Hi"]}
        same = "Input validation error"
        status, text = await facade.post("/vertex", {"instances": []})
        assert (status, json.loads(text)) == (422, {"error": same, "error_type": same})
        status, text = await facade.post("/vertex", {"instances": [PROMPT, {"inputs": ""}]})
        same = "Incomplete generation"
        assert (status, json.loads(text)) == (500, {"error": same, "error_type": same})


async def test_vertex_begins_nothing_with_more_instances_than_could_run() -> None:
    async with running_facade("--max-concurrent-requests", "2") as facade:
        facade.llama.frames = _answer("Hi")
        assert await _posted(facade, "/vertex", {"instances": [CHAT] * 2}) == {"predictions": ["Hi"] * 2}
        asked = len(facade.llama.connections)
        status, text = await facade.post("/vertex", {"instances": [PROMPT, CHAT, CHAT]})
        same = "Incomplete generation"
        assert (status, json.loads(text)) == (500, {"error": same, "error_type": same})
        assert len(facade.llama.connections) == asked
        async with facade.session.get("/metrics") as response:
            assert 'tgi_request_failure{err="overloaded"} 1.0' in await response.text()


async def test_what_llama_cpp_could_not_divide_by_is_tamed() -> None:
    parameters = {"temperature": 1e-40, "repetition_penalty": 1e39, "top_p": 1e-40, "typical_p": 1e-40}
    async with running_facade() as facade:
        facade.llama.frames = _answer("Hi")
        await _posted(facade, "/generate", {"inputs": "abc", "parameters": parameters})
    sent = facade.llama.bodies[0]
    assert (sent["temperature"], sent["repeat_penalty"], sent["top_p"], sent["typical_p"]) == (
        1e-4,
        1e4,
        1e-4,
        1e-4,
    )


async def test_what_an_engine_must_not_do_is_a_failed_generation() -> None:
    async with running_facade() as facade:
        facade.llama.frames = [{"stop": False}]
        status, text = await facade.post("/generate", PROMPT)
        assert (status, json.loads(text)["error_type"]) == (424, "generation")
        facade.llama.frames = _answer("Hi")
        assert (await facade.post("/generate", PROMPT))[0] == 200


@pytest.mark.parametrize(("size", "elsewhere"), [(500, False), (2_000, True), (1_000_000, True)])
async def test_a_long_body_keeps_nobody_from_their_tokens(size: int, elsewhere: bool) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b" " * size}

    def read(body: bytes) -> threading.Thread:
        return threading.current_thread()

    scope = {"type": "http", "headers": [(b"content-type", b"application/json")]}
    thread = await read_json(Request(scope, receive), 2_000_000, read)
    assert (thread is not threading.current_thread()) == elsewhere
