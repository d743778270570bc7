"""The real engine under load: several clients, clients that leave, overload, shutdown, llama.cpp's death."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from unit.cpu_engine.real_engine import (
    DEADLINE_S,
    ENDLESS,
    GREEDY_CHAT,
    RunningEngine,
    endless,
    running_engine,
    stream_of,
    wait_for,
)

from harness.sse import events
from harness.waiting import wait_until

pytestmark = pytest.mark.usefixtures("idle_engine")


def test_three_streams_on_two_slots(engine: RunningEngine) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(
            pool.map(
                lambda _: stream_of(engine, "/v1/chat/completions", {**GREEDY_CHAT, "stream": True}), range(3)
            )
        )
    for *chunks, done in answers:
        assert not [chunk for chunk in chunks if "error" in chunk]
        assert "Paris" in "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
        assert done == "[DONE]"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate_stream", ENDLESS),
        ("/generate", ENDLESS),
        ("/v1/completions", {"prompt": ["1 2 3", "4 5 6"], "max_tokens": 8000, "temperature": 0}),
    ],
)
def test_a_client_that_leaves_frees_its_slots_at_once(
    engine: RunningEngine, path: str, body: dict[str, Any]
) -> None:
    dropped, succeeded = (
        engine.metric('tgi_request_failure{err="dropped"}'),
        engine.metric("tgi_request_success"),
    )
    requests_in_flight = len(body["prompt"]) if "prompt" in body else 1
    with endless(engine, path, body):
        wait_for(engine, "tgi_batch_current_size", requests_in_flight)
    wait_for(engine, "tgi_batch_current_size", 0)
    assert engine.metric('tgi_request_failure{err="dropped"}') == dropped + requests_in_flight
    assert engine.metric("tgi_request_success") == succeeded


def test_a_client_that_leaves_while_its_prompt_is_read(engine: RunningEngine) -> None:
    """llama.cpp must notice without having a token to send, even while it streams to somebody else."""
    long_prompt = {
        "inputs": " ".join(str(number) for number in range(1500)),
        "parameters": {"max_new_tokens": 1},
    }
    with endless(engine):
        wait_for(engine, "tgi_batch_current_size", 1)
        with endless(engine, body=long_prompt):
            wait_for(engine, "tgi_batch_current_size", 2)
        wait_for(engine, "tgi_batch_current_size", 1)


def test_an_overloaded_engine(engine: RunningEngine) -> None:
    with endless(engine), endless(engine), endless(engine):
        wait_for(engine, "tgi_batch_current_size", 2)
        wait_for(engine, "tgi_queue_size", 1)
        overloaded = {"error": "Model is overloaded", "error_type": "overloaded"}
        response = engine.post("/generate", ENDLESS)
        assert (response.status_code, response.json()) == (429, overloaded)
        assert stream_of(engine, "/generate_stream", ENDLESS) == [overloaded]
        client = openai.OpenAI(base_url=f"{engine.url}/v1", api_key="-", max_retries=0)
        with client, pytest.raises(openai.RateLimitError):
            client.completions.create(model="any", prompt="x")
        assert requests.get(f"{engine.url}/health", timeout=DEADLINE_S).status_code == 200


def test_prompts_and_answers_are_not_logged(engine: RunningEngine) -> None:
    assert "success" in engine.log.read_text()
    for word in ("Paris", "France", "capital"):
        assert word not in engine.log.read_text()


def test_sigterm_lets_running_requests_finish(models: Path, tmp_path: Path) -> None:
    with running_engine(models, tmp_path / "log", "--max-total-tokens", "512") as leaving:
        body = {"inputs": "1 2 3 4 5 6", "parameters": {"max_new_tokens": 100}}
        with leaving.post("/generate_stream", body, stream=True) as response:
            stream: Iterator[Any] = events(response)
            assert next(stream)["index"] == 1
            leaving.process.terminate()
            wait_until(lambda: _refused(leaving), "no new requests", deadline_s=30, poll_s=0.02)
            *_, last = stream
        assert last["index"] == 100 and last["generated_text"]
        assert leaving.process.wait(DEADLINE_S) == 0, leaving.log.read_text()


def _refused(engine: RunningEngine) -> bool:
    try:
        requests.get(f"{engine.url}/health", timeout=DEADLINE_S)
    except requests.ConnectionError:
        return True
    return False


def test_the_engine_ends_when_llama_cpp_dies(models: Path, tmp_path: Path) -> None:
    with running_engine(models, tmp_path / "log") as dying:
        with dying.post("/generate_stream", {**ENDLESS, "parameters": {}}, stream=True) as response:
            stream: Iterator[Any] = events(response)
            assert next(stream)["index"] == 1
            dying.kill_native()
            *_, last = stream
        assert last["error_type"] == "generation"
        assert dying.process.wait(DEADLINE_S) == 1
        assert "llama.cpp's server died with code -9" in dying.log.read_text()
