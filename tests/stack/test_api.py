"""TGI's API and its OpenAI routes through nginx: exact shapes, real answers, untouched streams."""

from __future__ import annotations

from typing import Any

import huggingface_hub
import openai
import pytest
import requests

from harness.sse import events
from harness.stack import Stack
from harness.waiting import wait_until

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
CAPITAL: Any = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]
PROMPT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
ENDLESS = {"inputs": "1, 2, 3,", "parameters": {"max_new_tokens": 2000}}  # it counts on and on


def test_chat_completion_knows_the_capital_of_france(stack: Stack) -> None:
    body = {"model": "tgi", "messages": CAPITAL, "max_tokens": 30, "temperature": 0}
    response = requests.post(f"{stack.url}/v1/chat/completions", json=body, timeout=60)

    assert response.status_code == 200
    answer = response.json()
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == MODEL
    (choice,) = answer["choices"]
    assert choice["index"] == 0
    assert choice["logprobs"] is None
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert "Paris" in choice["message"]["content"]
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] > 0
    assert response.headers["x-generated-tokens"] == str(usage["completion_tokens"])


def test_chat_stream_has_openais_frames(stack: Stack) -> None:
    body = {
        "model": "tgi",
        "messages": CAPITAL,
        "max_tokens": 30,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with requests.post(f"{stack.url}/v1/chat/completions", json=body, stream=True, timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers
        *chunks, usage, done = list(events(response))

    assert done == "[DONE]"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(chunks)
    assert [chunk["choices"][0]["delta"].get("role") for chunk in chunks[:2]] == ["assistant", None]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert "Paris" in "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)


def test_generate(stack: Stack) -> None:
    body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 20, "details": True}}
    answer = requests.post(f"{stack.url}/generate", json=body, timeout=60).json()

    assert "Paris" in answer["generated_text"]
    details = answer["details"]
    assert details["finish_reason"] == "eos_token"
    assert details["seed"] is None
    assert details["generated_tokens"] == len(details["tokens"])
    assert "".join(t["text"] for t in details["tokens"] if not t["special"]) == answer["generated_text"]


def test_generate_stream_ends_without_done(stack: Stack) -> None:
    body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 20, "details": True}}
    with requests.post(f"{stack.url}/generate_stream", json=body, stream=True, timeout=60) as response:
        frames = list(events(response))

    assert [frame["index"] for frame in frames] == list(range(1, len(frames) + 1))
    *tokens, last = frames
    assert all(frame["generated_text"] is None and frame["details"] is None for frame in tokens)
    assert "Paris" in last["generated_text"]
    assert last["details"]["finish_reason"] == "eos_token"
    assert last["details"]["generated_tokens"] == len(frames)


def test_post_root_is_tgis_and_get_root_the_page(stack: Stack) -> None:
    body = {
        "inputs": "The capital of France is",
        "parameters": {"max_new_tokens": 3, "return_full_text": False},
    }
    answer = requests.post(stack.url, json=body, timeout=60).json()
    assert list(answer[0]) == ["generated_text"]

    page = requests.get(stack.url, headers={"Accept": "text/html"}, timeout=30)
    assert page.headers["content-type"].startswith("text/html")
    assert "gradio" in page.text


def test_openai_client(stack: Stack) -> None:
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key="unused")
    assert [model.id for model in client.models.list()] == [MODEL]

    with client.chat.completions.create(
        model="tgi", messages=CAPITAL, max_tokens=30, temperature=0, stream=True
    ) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "Paris" in text


def test_hugging_face_client(stack: Stack) -> None:
    client = huggingface_hub.InferenceClient(base_url=stack.url)
    answer = client.chat_completion(CAPITAL, max_tokens=30, temperature=0)
    assert "Paris" in (answer.choices[0].message.content or "")

    endpoint = huggingface_hub.InferenceClient(model=stack.url)
    assert "Paris" in endpoint.text_generation(PROMPT, max_new_tokens=20)


def test_validation_errors_pass_untouched(stack: Stack) -> None:
    body = {"inputs": "x", "parameters": {"temperature": 0}}
    response = requests.post(f"{stack.url}/generate", json=body, timeout=30)
    assert response.status_code == 422
    assert response.json() == {
        "error": "Input validation error: `temperature` must be strictly positive",
        "error_type": "validation",
    }


def test_first_token_arrives_while_the_engine_still_generates(stack: Stack) -> None:
    with requests.post(f"{stack.url}/generate_stream", json=ENDLESS, stream=True, timeout=60) as response:
        frames = events(response)  # kept: dropping the iterator would close the connection
        assert next(frames)["index"] == 1
        assert stack.engine_gauge("tgi_batch_current_size") == 1
    wait_until(lambda: stack.engine_gauge("tgi_batch_current_size") == 0, "a closed stream stops generating")


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/docs/", "/api-doc/openapi.json", "/invocations", "/v1/embeddings"),
        *("/gradio_api/info", "/gradio_api/upload", "/gradio_api/call/respond", "/gradio_api/runs"),
        *("/engine-unavailable/openai", "/healthz", "/_engine_root", "/unavailable.html"),
        *("/generate/", "/GENERATE", "/.env"),
    ],
)
def test_routes_that_are_not_listed_do_not_exist(stack: Stack, path: str) -> None:
    for method in ("GET", "POST"):
        response = requests.request(method, f"{stack.url}{path}", timeout=30)
        assert response.status_code == 404
        error = response.json()["error"]
        message = error["message"] if path.startswith("/v1/") else error
        assert message.startswith("No such route")


def test_too_large_a_body_is_refused_in_the_callers_shape(stack: Stack) -> None:
    response = requests.post(f"{stack.url}/v1/chat/completions", data=b"x" * 3_000_000, timeout=30)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"


def test_the_page_carries_its_security_headers(stack: Stack) -> None:
    headers = requests.get(stack.url, timeout=30).headers
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["server"] == "nginx"


def test_status(stack: Stack) -> None:
    status = stack.status()
    assert status["state"] == "ready"
    assert status["model"]["stage"] == "ready"
    assert status["model"]["model_id"] == MODEL
    assert status["engine"]["healthy"] is True
    assert status["engine"]["model_id"] == MODEL
    assert status["ui"] == {"replicas": 3, "healthy": 3}
