"""Requests of /v1/completions in OpenAI's form: what the engine is asked, and what is refused how."""

from __future__ import annotations

from typing import Any

import pytest

from openai_api.completions import completion_request
from openai_api.errors import BadRequest


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        ({"prompt": "One"}, {"prompt": ["One"]}),
        ({"prompt": ["One", "two"], "model": "m"}, {"prompt": ["One", "two"], "model": "m"}),
        (
            {
                **{
                    "prompt": "One",
                    "n": 1,
                    "best_of": 1,
                    "suffix": "",
                    "logit_bias": {},
                    "top_p": 1,
                    "echo": True,
                },
                **{
                    "presence_penalty": 0,
                    "logprobs": None,
                    "user": "u",
                    "max_tokens": 4,
                    "stop": ".",
                    "seed": 1,
                },
            },
            {"prompt": ["One"], "max_tokens": 4, "stop": ["."], "seed": 1},
        ),
        # the engine tells the usage of each prompt unasked
        (
            {"prompt": "One", "stream": True, "stream_options": {"include_usage": True}},
            {"prompt": ["One"], "stream": True},
        ),
    ],
)
def test_the_engine_is_asked(sent: dict[str, Any], body: dict[str, Any]) -> None:
    assert completion_request(sent).body == body


@pytest.mark.parametrize(
    ("sent", "param", "words"),
    [
        ({"prompt": None}, "prompt", "Missing"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": []}, "prompt", "1 to 4 texts"),
        ({"prompt": ["a"] * 5}, "prompt", "found 5"),
        ({"prompt": [1, 2]}, "prompt", "not of token numbers"),
        ({"prompt": [["a"]]}, "prompt", "array of strings"),
        ({"prompt": {"a": 1}}, "prompt", "found an object"),
        ({"logprobs": 1}, "logprobs", "/v1/chat/completions"),
        ({"best_of": 2}, "best_of", "/generate"),
        ({"suffix": "end"}, "suffix", "cannot fill in"),
        ({"n": 2}, "n", "several requests"),
        ({"echo": "yes"}, "echo", "a boolean"),
        ({"max_completion_tokens": 5}, "max_completion_tokens", "Unknown parameter"),
        ({"max_tokens": 0}, "max_tokens", "from 1"),
    ],
)
def test_is_refused_by_name(sent: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        completion_request({"prompt": "One", **sent})
    assert refused.value.param == param
    assert words in str(refused.value)
