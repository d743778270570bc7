"""TGI's judgement of requests: every row of the contract's table, word for word."""

from __future__ import annotations

import json

import pytest

from cpu_engine.settings import Limits
from cpu_engine.tgi.chat_shapes import ChatRequest
from cpu_engine.tgi.chat_shapes import chat_request as read_chat
from cpu_engine.tgi.errors import BodyError, ValidationError
from cpu_engine.tgi.shapes import CompletionRequest, GenerateRequest
from cpu_engine.tgi.shapes import completion_request as read_completion
from cpu_engine.tgi.shapes import generate_request as read_generate
from cpu_engine.tgi.validation import (
    check_best_of,
    check_streamable,
    validate_length,
    validate_sampling,
)

LIMITS = Limits(
    max_input_tokens=100,
    max_total_tokens=2000,
    max_concurrent_requests=8,
    max_client_batch_size=4,
    max_stop_sequences=4,
    max_best_of=2,
    max_top_n_tokens=5,
)


def generate_request(body: object) -> GenerateRequest:
    return read_generate(json.dumps(body).encode())


def chat_request(body: object) -> ChatRequest:
    return read_chat(json.dumps(body).encode())


def completion_request(body: object) -> CompletionRequest:
    return read_completion(json.dumps(body).encode())


def _refusal(parameters: dict[str, object], inputs: str = "x") -> str:
    request = generate_request({"inputs": inputs, "parameters": parameters})
    with pytest.raises(ValidationError) as caught:
        validate_sampling(request, LIMITS)
    assert (caught.value.status, caught.value.error_type) == (422, "validation")
    message = str(caught.value)
    assert message.startswith("Input validation error: ")
    return message.removeprefix("Input validation error: ")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"temperature": -1}, "`temperature` must be strictly positive"),
        ({"temperature": 1e-50}, "`temperature` must be strictly positive"),  # 0 as f32
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"top_p": 0.99999999999}, "`top_p` must be > 0.0 and < 1.0"),  # 1 as f32
        ({"top_p": 0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"typical_p": 1}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"top_k": -3}, "`top_k` must be strictly positive"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be strictly positive"),
        ({"frequency_penalty": 2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"frequency_penalty": -2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"truncate": 0}, "`truncate` must be strictly positive and less than 100. Given: 0"),
        ({"truncate": 101}, "`truncate` must be strictly positive and less than 100. Given: 101"),
        ({"stop": list("abcde")}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
        ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
    ],
)
def test_a_bad_value_is_refused_in_tgis_words(parameters: dict[str, object], message: str) -> None:
    assert _refusal(parameters) == message


def test_an_empty_input_is_refused() -> None:
    assert _refusal({}, inputs="") == "`inputs` cannot be empty"


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": None, "top_p": None, "top_k": None, "seed": None, "grammar": None},
        {"frequency_penalty": 2, "top_p": 0.999, "top_k": 1, "typical_p": 0.5, "temperature": 0.01},
        {"watermark": True, "adapter_id": "nobody", "best_of": 2, "do_sample": True},
        {"stop": list("abcd"), "truncate": 100, "best_of": 0, "top_n_tokens": 5, "max_new_tokens": 1},
    ],
)
def test_values_on_the_edge_are_accepted(parameters: dict[str, object]) -> None:
    request = generate_request({"inputs": "x", "parameters": parameters})
    validate_sampling(request, LIMITS)


def test_best_of_beyond_the_limit() -> None:
    with pytest.raises(ValidationError, match=r"`best_of` must be > 0 and <= 2\. Given: 3"):
        check_best_of(3, LIMITS)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"best_of": 2}, "`best_of` != 1 is not supported when streaming tokens"),
        ({"best_of": 0}, "`best_of` != 1 is not supported when streaming tokens"),
        (
            {"decoder_input_details": True},
            "`decoder_input_details` == true is not supported when streaming tokens",
        ),
    ],
)
def test_what_does_not_stream(parameters: dict[str, object], message: str) -> None:
    request = generate_request({"inputs": "x", "parameters": parameters})
    with pytest.raises(ValidationError) as caught:
        check_streamable(request.parameters)
    assert str(caught.value) == f"Input validation error: {message}"


@pytest.mark.parametrize(
    ("inputs", "asked", "message"),
    [
        (
            1001,
            1000,
            "`inputs` tokens + `max_new_tokens` must be <= 2000. "
            "Given: 1001 `inputs` tokens and 1000 `max_new_tokens`",
        ),
        (
            990,
            5000,  # only a slice of 1024 is held against the budget
            "`inputs` tokens + `max_new_tokens` must be <= 2000. "
            "Given: 990 `inputs` tokens and 1024 `max_new_tokens`",
        ),
        (101, 10, "`inputs` must have less than 100 tokens. Given: 101"),
        (101, None, "`inputs` must have less than 100 tokens. Given: 101"),
    ],
)
def test_the_length_budget(inputs: int, asked: int | None, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_length(inputs, asked, LIMITS)
    assert str(caught.value) == f"Input validation error: {message}"


@pytest.mark.parametrize(
    ("inputs", "asked", "granted"), [(100, None, 1900), (100, 1900, 1900), (100, 5000, 1900), (1, 7, 7)]
)
def test_how_much_may_be_generated(inputs: int, asked: int | None, granted: int) -> None:
    assert validate_length(inputs, asked, LIMITS) == granted


def _samples(body: dict[str, object]) -> bool:
    return validate_sampling(generate_request(body), LIMITS).sample


def test_omitted_parameters_sample_and_an_empty_object_is_greedy() -> None:
    assert _samples({"inputs": "x"})
    assert not _samples({"inputs": "x", "parameters": {}})
    assert not _samples({"inputs": "x", "parameters": {"temperature": 1.0}})
    assert _samples({"inputs": "x", "parameters": {"temperature": 0.5}})
    assert _samples({"inputs": "x", "parameters": {"top_k": 3}})


def _chat(**fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "x"}], **fields}


def test_chat_maps_openais_names() -> None:
    given = chat_request(_chat(temperature=0, presence_penalty=0, max_tokens=7, top_logprobs=3)).parameters
    assert (given.do_sample, given.temperature, given.repetition_penalty) == (False, None, 2.0)
    assert (given.max_new_tokens, given.top_n_tokens) == (7, 3)
    assert chat_request(_chat()).parameters.do_sample
    assert chat_request(_chat(max_completion_tokens=9)).parameters.max_new_tokens == 9
    assert completion_request({"prompt": "x", "temperature": 0}).parameters.do_sample is False


def test_presence_penalty_of_minus_two_is_refused() -> None:
    request = GenerateRequest("x", chat_request(_chat(presence_penalty=-2)).parameters)
    with pytest.raises(ValidationError, match="`repetition_penalty` must be strictly positive"):
        validate_sampling(request, LIMITS)


def test_chat_content_in_chunks_and_tool_calls() -> None:
    chunks = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]
    call = {"id": "0", "type": "function", "function": {"name": "f", "arguments": {}}}
    asked = chat_request(
        {
            "messages": [
                {"role": "user", "content": chunks},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ]
        }
    )
    told = '[{"id":"0","type":"function","function":{"description":null,"name":"f","arguments":"{}"}}]'
    assert [m.content for m in asked.messages] == ["a![](u)", told]


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        (generate_request, [], "invalid length 0, expected struct GenerateRequest with 2 elements"),
        (generate_request, {}, "missing field `inputs`"),
        (generate_request, {"inputs": None}, "inputs: invalid type: null, expected a string"),
        (generate_request, {"inputs": "x", "parameters": None}, "invalid type: null, expected struct"),
        (
            generate_request,
            {"inputs": "x", "parameters": {"temperature": "hot"}},
            'parameters.temperature: invalid type: string "hot", expected f32',
        ),
        (
            generate_request,
            {"inputs": "x", "parameters": {"max_new_tokens": -1}},
            "parameters.max_new_tokens: invalid value: integer `-1`, expected u32",
        ),
        (
            generate_request,
            {"inputs": "x", "parameters": {"max_new_tokens": 1.5}},
            "parameters.max_new_tokens: invalid type: floating point `1.5`, expected u32",
        ),
        (
            generate_request,
            {"inputs": "x", "parameters": {"details": None}},
            "parameters.details: invalid type: null, expected a boolean",
        ),
        (
            generate_request,
            {"inputs": "x", "parameters": {"stop": "x"}},
            'parameters.stop: invalid type: string "x", expected a sequence',
        ),
        (chat_request, {}, "missing field `messages`"),
        (chat_request, _chat(stop="x"), 'stop: invalid type: string "x", expected a sequence'),
        (chat_request, _chat(max_tokens=1, max_completion_tokens=1), "duplicate field `max_tokens`"),
        (chat_request, _chat(logit_bias={"1": 2}), "logit_bias: invalid type: map, expected a sequence"),
        (
            chat_request,
            _chat(response_format={"type": "json_schema", "json_schema": {}}),
            "response_format: missing field `value`",
        ),
        (chat_request, {"messages": [{"role": "user", "content": None}]}, "data did not match any variant"),
        (completion_request, {"prompt": []}, "Empty array detected"),
        (
            completion_request,
            {"prompt": 5},
            "data did not match any variant of untagged enum PromptDeserializer",
        ),
    ],
)
def test_a_wrong_shape_is_a_plain_text_422(read: object, body: object, reason: str) -> None:
    assert callable(read)
    with pytest.raises(BodyError) as caught:
        read(body)
    assert caught.value.status == 422
    message = str(caught.value)
    assert message.startswith("Failed to deserialize the JSON body into the target type: ")
    assert reason in message
