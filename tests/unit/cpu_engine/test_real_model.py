"""The engine with the real model, through its HTTP contract and through the official clients."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import openai
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import ValidationError as HubValidationError
from unit.cpu_engine.real_engine import (
    GREEDY_CHAT,
    MODEL_ID,
    QUESTION,
    RunningEngine,
    stream_of,
    templated,
)

pytestmark = pytest.mark.usefixtures("idle_engine")


def test_the_capital_of_france(engine: RunningEngine) -> None:
    response = engine.post("/v1/chat/completions", GREEDY_CHAT)
    body = response.json()
    assert "Paris" in body["choices"][0]["message"]["content"]
    assert "<|im_end|>" not in body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] == "stop"
    assert (body["object"], body["id"], body["model"]) == ("chat.completion", "", MODEL_ID)
    used = body["usage"]
    assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]
    assert response.headers["x-prompt-tokens"] == str(used["prompt_tokens"])
    assert response.headers["x-generated-tokens"] == str(used["completion_tokens"])


def test_the_capital_of_france_streamed(engine: RunningEngine) -> None:
    body = {**GREEDY_CHAT, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, used, done = stream_of(engine, "/v1/chat/completions", body)
    assert "Paris" in "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert (used["choices"], used["usage"]["completion_tokens"]) == ([], len(chunks))
    assert done == "[DONE]"


def test_every_token_is_an_event(engine: RunningEngine) -> None:
    body = {"inputs": templated(engine), "parameters": {"max_new_tokens": 60, "details": True}}
    stream = stream_of(engine, "/generate_stream", body)
    *before, last = stream
    assert [event["index"] for event in stream] == list(range(1, len(stream) + 1))
    assert all(event["generated_text"] is None and event["details"] is None for event in before)
    assert all(event["token"]["logprob"] <= 0 for event in stream)
    texts = [event["token"]["text"] for event in stream if not event["token"]["special"]]
    assert "".join(texts) == last["generated_text"]
    assert "Paris" in last["generated_text"]
    assert (last["token"]["id"], last["token"]["text"], last["token"]["special"]) == (2, "<|im_end|>", True)
    assert last["details"]["finish_reason"] == "eos_token"
    assert last["details"]["generated_tokens"] == len(stream)
    assert last["details"]["seed"] is None


def test_characters_of_several_tokens(engine: RunningEngine) -> None:
    body = {"inputs": "Say: 🦜🎉 中文 ", "parameters": {"max_new_tokens": 40, "details": True}}
    stream = stream_of(engine, "/generate_stream", body)
    tokens = [event["token"] for event in stream]
    assert "".join(t["text"] for t in tokens if not t["special"]) == stream[-1]["generated_text"]
    assert len(stream) == stream[-1]["details"]["generated_tokens"]
    held_back = [token for token in tokens if token["text"] == ""]
    assert held_back, "the model wrote no character of several tokens: choose another prompt"
    assert all(token["logprob"] is None for token in held_back)
    assert all(isinstance(token["id"], int) for token in tokens)


def test_details_and_top_tokens(engine: RunningEngine) -> None:
    parameters = {"max_new_tokens": 5, "details": True, "top_n_tokens": 3, "decoder_input_details": True}
    details = engine.post("/generate", {"inputs": "The sky is", "parameters": parameters}).json()["details"]
    assert (details["finish_reason"], details["prefill"]) == ("length", [])
    assert details["generated_tokens"] == len(details["tokens"]) == len(details["top_tokens"]) == 5
    for token, top in zip(details["tokens"], details["top_tokens"], strict=True):
        assert len(top) == 3
        assert top[0] == token  # greedy takes the most likely one
        assert all(first["logprob"] >= second["logprob"] for first, second in pairwise(top))
        assert sum(math.exp(other["logprob"]) for other in top) <= 1.001


def test_logprobs_of_a_chat(engine: RunningEngine) -> None:
    asked = {**GREEDY_CHAT, "logprobs": True, "top_logprobs": 2, "max_tokens": 4}
    content = engine.post("/v1/chat/completions", asked).json()["choices"][0]["logprobs"]["content"]
    assert len(content) == 4
    assert all(len(entry["top_logprobs"]) == 2 and entry["logprob"] <= 0 for entry in content)
    *chunks, _ = stream_of(engine, "/v1/chat/completions", {**asked, "stream": True})
    assert all(len(chunk["choices"][0]["logprobs"]["content"]) == 1 for chunk in chunks)


def test_a_stop_sequence_stays_in_the_text(engine: RunningEngine) -> None:
    body = {"inputs": templated(engine), "parameters": {"stop": ["Fra", " Paris"], "details": True}}
    answer = engine.post("/generate", body).json()
    assert answer["generated_text"].endswith(" Paris")
    assert answer["details"]["finish_reason"] == "stop_sequence"
    chat = engine.post("/v1/chat/completions", {**GREEDY_CHAT, "stop": [" Paris"]}).json()["choices"][0]
    assert (chat["finish_reason"], chat["message"]["content"][-6:]) == ("stop_sequence", " Paris")


def test_truncate(engine: RunningEngine) -> None:
    body = {"inputs": "a b c d e f g h", "parameters": {"truncate": 3, "max_new_tokens": 1}}
    assert engine.post("/generate", body).headers["x-prompt-tokens"] == "3"


def test_the_token_budget_is_counted_by_the_real_tokenizer(engine: RunningEngine) -> None:
    text = "The parrot said nothing. " * 1600
    count = len(engine.post("/tokenize", {"inputs": text}).json())
    assert 8192 - 1024 < count < 8192
    response = engine.post("/generate", {"inputs": text, "parameters": {"max_new_tokens": 8000}})
    assert (response.status_code, response.json()["error"]) == (
        422,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. "
        f"Given: {count} `inputs` tokens and 1024 `max_new_tokens`",
    )
    chat = {"messages": [{"role": "user", "content": text * 2}], "max_tokens": 1}
    assert engine.post("/v1/chat/completions", chat).status_code == 422


def test_top_p_of_one_is_refused(engine: RunningEngine) -> None:
    response = engine.post("/generate", {"inputs": "x", "parameters": {"top_p": 1.0}})
    assert response.status_code == 422
    assert response.json() == {
        "error": "Input validation error: `top_p` must be > 0.0 and < 1.0",
        "error_type": "validation",
    }


def test_a_seed_gives_the_same_text_again(engine: RunningEngine) -> None:
    parameters = {"seed": 42, "temperature": 1.2, "top_k": 40, "max_new_tokens": 12, "details": True}
    body = {"inputs": "Once upon a time", "parameters": parameters}
    first, second = (engine.post("/generate", body).json() for _ in range(2))
    assert first["generated_text"] == second["generated_text"]
    assert first["details"]["seed"] == 42
    sampled = engine.post("/generate", {"inputs": "Once", "parameters": {**parameters, "seed": None}}).json()
    assert sampled["details"]["seed"] is not None


def test_tokenize(engine: RunningEngine) -> None:
    text = "Héllo 🦜 world"
    tokens = engine.post("/tokenize", {"inputs": text}).json()
    raw = text.encode()
    assert (tokens[0]["start"], tokens[-1]["stop"]) == (0, len(raw))
    assert all(token["text"].encode() == raw[token["start"] : token["stop"]] for token in tokens)


def test_chat_tokenize_counts_what_chat_uses(engine: RunningEngine) -> None:
    answer = engine.post("/chat_tokenize", {"messages": QUESTION}).json()
    assert answer["templated_text"].endswith("<|im_start|>assistant\n")
    assert QUESTION[0]["content"] in answer["templated_text"]
    used = engine.post("/v1/chat/completions", {**GREEDY_CHAT, "max_tokens": 1}).json()["usage"]
    assert used["prompt_tokens"] == len(answer["tokenize_response"])


def test_an_assistant_message_is_continued(engine: RunningEngine) -> None:
    messages = [*QUESTION, {"role": "assistant", "content": "The capital of France is "}]
    assert templated(engine, messages).endswith("<|im_start|>assistant\nThe capital of France is")
    chat = {**GREEDY_CHAT, "messages": messages, "max_tokens": 2}
    assert "Paris" in engine.post("/v1/chat/completions", chat).json()["choices"][0]["message"]["content"]


def test_several_prompts_in_one_completion(engine: RunningEngine) -> None:
    body = {"prompt": ["One, two,", "Red, green,"], "max_tokens": 4, "temperature": 0}
    answer = engine.post("/v1/completions", body).json()
    assert sorted(choice["index"] for choice in answer["choices"]) == [0, 1]
    assert answer["usage"]["completion_tokens"] == 8
    *chunks, done = stream_of(engine, "/v1/completions", {**body, "stream": True})
    for index in (0, 1):
        own = [chunk for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert [chunk["choices"][0]["finish_reason"] for chunk in own] == ["", "", "", "length"]
        assert own[-1]["usage"]["completion_tokens"] == 4
    assert done == "[DONE]"


def _openai(engine: RunningEngine) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{engine.url}/v1", api_key="-", max_retries=0)


def test_the_openai_client(engine: RunningEngine) -> None:
    with _openai(engine) as client:
        assert [model.id for model in client.models.list()] == [MODEL_ID]
        arguments: dict[str, Any] = {"model": "tgi", "messages": QUESTION, "temperature": 0, "max_tokens": 60}
        answer = client.chat.completions.create(**arguments)
        assert "Paris" in (answer.choices[0].message.content or "")
        chunks = list(client.chat.completions.create(stream=True, **arguments))
        assert "Paris" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        completion = client.completions.create(model="tgi", prompt="One, two,", max_tokens=3)
        assert completion.choices[0].finish_reason == "length"
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            client.chat.completions.create(top_p=1.0, **arguments)
        assert "`top_p` must be" in caught.value.response.text


def test_the_hub_client(engine: RunningEngine) -> None:
    client = InferenceClient(base_url=engine.url)
    answer = client.chat_completion(QUESTION, temperature=0, max_tokens=60)
    assert "Paris" in (answer.choices[0].message.content or "")
    prompt = templated(engine)
    generation = InferenceClient(model=engine.url)
    text = generation.text_generation(prompt, details=True, max_new_tokens=60, do_sample=False)
    assert "Paris" in text.generated_text
    assert text.details is not None
    assert text.details.finish_reason == "eos_token"
    pieces = list(generation.text_generation(prompt, stream=True, max_new_tokens=60, do_sample=False))
    assert "Paris" in "".join(pieces)
    with pytest.raises(HubValidationError, match="`top_p` must be"):
        generation.text_generation(prompt, top_p=1.0)
