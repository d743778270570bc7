"""Streams of /v1/completions that TGI sent, in OpenAI's form: one prompt's, and several prompts' at once."""

from __future__ import annotations

import json
from typing import Any

from unit.openai_api import recorded
from unit.openai_api.streaming import WITH_USAGE, completion, reasons, translated


def test_a_completion() -> None:
    events = translated(completion(), recorded.body("completions stream"))
    assert "".join(event["choices"][0]["text"] for event in events) == " Paris.\n\nThe"
    assert reasons(events) == [None, None, None, None, "length"]
    assert events[-1]["usage"]["total_tokens"] == 10  # where TGI tells it


def test_a_completions_usage_is_told_at_the_end_to_who_asks_for_it() -> None:
    events = translated(completion(**WITH_USAGE), recorded.body("completions stream"))
    assert "usage" not in events[-2]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}


def text_frame(index: int, text: str, reason: str = "", usage: Any = None) -> bytes:
    choice = {"index": index, "text": text, "logprobs": None, "finish_reason": reason}
    about = {"object": "text_completion", "id": "", "created": 1, "choices": [choice], "model": "m"}
    document = json.dumps({**about, **({"usage": usage} if usage else {})}, separators=(",", ":"))
    return f"data: {document}\n\n".encode()


USAGE = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
TWO = b"".join(
    [
        *(text_frame(1, " a"), text_frame(0, " x"), text_frame(0, " y"), text_frame(1, " b")),
        *(
            text_frame(0, "<|end|>", "eos_token", USAGE),
            text_frame(1, " c", "length", USAGE),
            b"data: [DONE]\n\n",
        ),
    ]
)


def test_several_prompts_with_echo() -> None:
    events = translated(completion(prompt=["P", "Q"], echo=True, **WITH_USAGE), TWO)
    texts = {0: "", 1: ""}
    for event in events[:-1]:
        texts[event["choices"][0]["index"]] += event["choices"][0]["text"]
    assert texts == {0: "P x y", 1: "Q a b c"}  # without the name of the token that ends an answer
    assert reasons(events).count("stop") == reasons(events).count("length") == 1
    assert events[-1]["usage"] == {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


def test_a_prompt_whose_answer_was_stopped_is_counted_with_what_the_engine_says_of_it() -> None:
    stream = completion(prompt=["P", "Q"], stop=" x y", **WITH_USAGE)
    events = translated(stream, TWO)
    assert (
        "".join(event["choices"][0]["text"] for event in events[:-1] if event["choices"][0]["index"] == 0)
        == ""
    )
    assert events[-1]["usage"]["total_tokens"] == 10


def test_each_of_several_prompts_is_counted_for_nginx() -> None:
    """Where nobody asked for the usage; also of an answer that was ended here, with what is known then."""
    events = translated(completion(prompt=["P", "Q"], stop=" y"), TWO)
    assert [event["usage"] for event in events if "usage" in event] == [USAGE, USAGE]
    assert reasons(events).count("stop") == reasons(events).count("length") == 1
    assert all(event["choices"] for event in events)

    stream = completion(prompt=["P", "Q"], stop=[" b", " y"])
    made = stream.feed(TWO)
    assert stream.over
    assert stream.counts_all
    assert stream.uncounted() == [0, 1]
    for index in stream.uncounted():
        stream.count(index, 7)
    events = recorded.events(made + stream.end())[:-1]
    assert [
        (event["usage"]["prompt_tokens"], event["usage"]["completion_tokens"]) for event in events[-2:]
    ] == [
        (7, 2),
        (7, 2),
    ]
    assert reasons(events)[-2:] == ["stop", "stop"]
    assert len(reasons(events)) == 6, "four tokens, and two ends that are none"


def test_an_echo_is_no_token_of_its_own() -> None:
    data = text_frame(1, " a") + text_frame(0, " x") + text_frame(1, " b")
    made = completion(prompt=["P", "Q"], echo=True).feed(data)
    told = [choice for event in recorded.events(made) for choice in event["choices"]]
    assert [(one["index"], one["text"]) for one in told] == [(1, "Q a"), (0, "P x"), (1, " b")]


def test_a_stopped_answer_is_counted_here() -> None:
    stream = completion(stop=" y", **WITH_USAGE)
    made = stream.feed(text_frame(0, " x") + text_frame(0, " y") + text_frame(0, " z"))
    assert stream.over
    assert stream.uncounted() == [0]
    stream.count(0, 7)
    events = recorded.events(made + stream.end())
    assert events[-2]["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
