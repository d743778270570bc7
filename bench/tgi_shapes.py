"""The bytes of TGI 3.3.7's answers, built once so that sending one costs nothing: a token's frame is a fixed
text around its send time.

Owns shapes only: no sockets, no time. Frames carry `@` and 19 digits (the sender's monotonic nanoseconds)
as the token's text, because text is what every proxy passes on. Answers of words carry it in one token of
ten, or not at all: to whatever shows them they are a model's Markdown.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MODEL = "bench/model"
PROMPT_TOKENS = 12
STAMP = b"@%019d"
STAMP_CHARACTERS = 20
STAMP_EVERY = 10  # tokens of an answer that is sampled
ANSWER = Path(__file__).with_name("answer.md").read_text(encoding="utf-8")
_FINGERPRINT = "3.3.6-dev0-sha-1a2b3c4"
_CREATED = 1764000000
_COMMON = b"x-compute-type: 1-bench\r\nx-compute-characters: 48\r\naccess-control-allow-origin: *\r\n"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"x-accel-buffering: no\r\n"
    + _COMMON
    + b"transfer-encoding: chunked\r\ndate: Sun, 22 Nov 2026 12:00:00 GMT\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Frames:
    """What one kind of stream sends.

    Attributes:
        token: one token's chunk, with a place for the stamp (`frame % nanoseconds`).
        last: the last token's chunk, which names the reason for ending, with a place for the stamp.
        tail: what follows it, the end of the chunked body included.
        words: in `token`'s place, one after the other and again from the first, the chunks of an answer in
            words, each with whether it has a place for the stamp.
    """

    token: bytes
    last: bytes
    tail: bytes
    words: tuple[tuple[bytes, bool], ...] = ()

    def next(self, number: int, now_ns: int) -> bytes:
        """The chunk of the token with this number, from 0."""
        if not self.words:
            return self.token % now_ns
        frame, stamped = self.words[number % len(self.words)]
        return frame % now_ns if stamped else frame


def chat_frames(tokens: int, include_usage: bool, text: str = "") -> Frames:
    """A /v1/chat/completions stream of so many tokens, as `text` says: see `words`."""
    tail = b""
    if include_usage:
        tail = _chunk(_chat_event([], _usage(tokens)))
    return Frames(
        token=_stamped(_chat_event([_chat_choice(None)], None)),
        last=_stamped(_chat_event([_chat_choice("length")], None)),
        tail=tail + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n",
        words=_word_frames(_chat_event([_chat_choice(None)], None), text),
    )


def generate_frames(tokens: int, details: bool, text: str = "") -> Frames:
    """A /generate_stream stream of so many tokens, as `text` says; TGI ends it by closing the body, without
    [DONE].
    """
    ended = {
        "finish_reason": "length",
        "generated_tokens": tokens,
        "seed": None,
        "input_length": PROMPT_TOKENS,
    }
    return Frames(
        token=_stamped(_generate_event(None, None)),
        last=_stamped(_generate_event("…" * 8, ended if details else None)),
        tail=b"0\r\n\r\n",
        words=_word_frames(_generate_event(None, None), text),
    )


@cache
def words(text: str) -> tuple[str, ...]:
    """An answer's tokens: `words` are those of answer.md, of `sampled` each tenth is a stamp instead; for
    anything else there are none.
    """
    if text not in ("words", "sampled"):
        return ()
    found = re.findall(r"\s*\w{1,6}|\s*[^\w\s]+|\s+", ANSWER)
    if text == "sampled":
        found[::STAMP_EVERY] = ["STAMP"] * len(found[::STAMP_EVERY])
    return tuple(found)


def prompt_answer(messages: list[dict[str, str]]) -> bytes:
    """POST /chat_tokenize: a token is a word."""
    prompt = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
    token = {"id": 1, "text": "word", "start": 0, "stop": 4}
    return json_answer({"templated_text": prompt, "tokenize_response": [token] * len(prompt.split())})


def chat_answer(tokens: int) -> bytes:
    """A whole /v1/chat/completions answer that is not streamed, with the headers that count its tokens."""
    message = {"role": "assistant", "content": "word " * tokens}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}
    body = {**_chat_base("chat.completion"), "choices": [choice], "usage": _usage(tokens)}
    counts = b"x-prompt-tokens: %d\r\nx-generated-tokens: %d\r\n" % (PROMPT_TOKENS, tokens)
    return json_answer(body, counts)


def info_answer() -> bytes:
    """GET /info."""
    limits = {"max_concurrent_requests": 1024, "max_input_tokens": 7168, "max_total_tokens": 8192}
    body = {"model_id": MODEL, "model_sha": None, "model_pipeline_tag": None, **limits}
    return json_answer({**body, "router": "text-generation-router", "version": "3.3.6-dev0", "sha": None})


def models_answer() -> bytes:
    """GET /v1/models."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
    return json_answer({"object": "list", "data": [model]})


def json_answer(body: object, headers: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """A whole response around one JSON value."""
    payload = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(payload))
    return head + _COMMON + headers + b"\r\n" + payload


def _usage(tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": PROMPT_TOKENS + tokens,
    }


def _chat_base(kind: str) -> dict[str, object]:
    return {
        "object": kind,
        "id": "",
        "created": _CREATED,
        "model": MODEL,
        "system_fingerprint": _FINGERPRINT,
    }


def _chat_choice(finish_reason: str | None) -> dict[str, object]:
    delta = {"role": "assistant", "content": "STAMP"}
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _chat_event(choices: list[dict[str, object]], usage: dict[str, int] | None) -> bytes:
    return _event({**_chat_base("chat.completion.chunk"), "choices": choices, "usage": usage})


def _generate_event(generated_text: str | None, details: dict[str, object] | None) -> bytes:
    token = {"id": 1234, "text": "STAMP", "logprob": -0.7236328, "special": False}
    return _event({"index": 1, "token": token, "generated_text": generated_text, "details": details})


def _event(body: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _stamped(event: bytes) -> bytes:
    """The event as one chunk, with `STAMP` as a place for the time; all stamps are equally long."""
    sized = event.replace(b"%", b"%%").replace(b"STAMP", b"@" * STAMP_CHARACTERS)
    return _chunk(sized).replace(b"@" * STAMP_CHARACTERS, STAMP)


@cache
def _word_frames(event: bytes, text: str) -> tuple[tuple[bytes, bool], ...]:
    """`event` once for each token of this text."""
    return tuple(
        (_stamped(event), True)
        if word == "STAMP"
        else (_chunk(event.replace(b"STAMP", json.dumps(word, ensure_ascii=False)[1:-1].encode())), False)
        for word in words(text)
    )


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
