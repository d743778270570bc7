"""Who used what: requests and tokens by account, equal to the engine's own counts, streams included."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import pytest
import requests

from harness import figures
from harness.caller import COUNTING, LONG, Caller, Stream, caller, callers, counting
from harness.chats import Chatter
from harness.stack import Stack
from harness.waiting import wait_until

MESSAGES = [{"role": "user", "content": "Count to ten."}]
CHAT = {"model": "tgi", "messages": MESSAGES, "temperature": 0, "max_tokens": 5}
PROMPTS = (COUNTING, "The capital of France is")
COMPLETIONS = {"model": "tgi", "prompt": list(PROMPTS), "temperature": 0, "max_tokens": 4}
DETAILED = {"inputs": COUNTING, "parameters": {**counting(4)["parameters"], "details": True}}
ANSWERED_SHORTLY = "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
REFUSED_BY_THE_ENGINE = {"inputs": COUNTING, "parameters": {"max_new_tokens": 0}}
INCLUDED: dict[str, object] = {"stream": True, "stream_options": {"include_usage": True}}


def test_what_is_used_is_booked_to_the_token(guarded: Stack) -> None:
    """Everything that a client may send, on one account; the truth is asked on another."""
    with callers(guarded, {"mixed": ("--concurrent", "2"), "truth": ()}) as (mixed, truth):
        chat = truth.post("/v1/chat/completions", CHAT).json()["usage"]
        assert chat["prompt_tokens"] == chat_length(truth, MESSAGES)
        prompts = [length(truth, prompt) for prompt in PROMPTS]
        expected = Tally()

        answer = mixed.post("/v1/chat/completions", CHAT).json()
        assert answer["usage"] == chat
        expected.add(chat["prompt_tokens"], chat["completion_tokens"])
        for options in ({"stream": True}, INCLUDED):
            assert mixed.post("/v1/chat/completions", {**CHAT, **options}).text.endswith("data: [DONE]\n\n")
            expected.add(chat["prompt_tokens"], chat["completion_tokens"])
        for path in ("/generate", "/generate_stream"):
            for body in (counting(4), DETAILED):
                assert mixed.post(path, body).status_code == 200
                expected.add(prompts[0], 4)
        for options in ({}, {"stream": True}):
            assert mixed.post("/v1/completions", {**COMPLETIONS, **options}).status_code == 200
            expected.add(sum(prompts), 2 * 4)
        for path, body in {"/tokenize": counting(1), "/chat_tokenize": CHAT}.items():
            assert mixed.post(path, body).status_code == 200
            expected.add(0, 0)
        assert mixed.post("/generate", REFUSED_BY_THE_ENGINE).status_code == 422
        expected.add(0, 0)
        assert {mixed.get(path).status_code for path in ("/v1/models", "/info")} == {200}

        one, two = mixed.count_on(), mixed.count_on()
        assert mixed.post("/generate", counting(1)).status_code == 429
        expected.refused += 1
        for stream in (one, two):
            stream.read(5)
            stream.close()
            expected.add(prompts[0], generated_for(guarded, stream))
        wait_booked(guarded, mixed, expected)
        wait_nothing_follows(guarded, mixed, expected)


@dataclass
class Tally:
    """What an account should have been charged."""

    requests: int = 0
    prompt: int = 0
    generated: int = 0
    refused: int = 0

    def add(self, prompt: int, generated: int) -> None:
        """One more request, with its tokens."""
        self.requests += 1
        self.prompt += prompt
        self.generated += generated

    @property
    def counts(self) -> dict[str, int]:
        names = ("requests", "prompt_tokens", "generated_tokens", "refused")
        return dict(zip(names, (self.requests, self.prompt, self.generated, self.refused), strict=True))


def wait_booked(stack: Stack, someone: Caller, expected: Tally) -> None:
    """Waits until exactly that is booked."""
    wait_until(
        lambda: figures.used(stack, someone.account) == expected.counts,
        f"what {someone.account} used is booked",
        deadline_s=30,
        detail=lambda: f"expected {expected.counts}\nfound    {figures.used(stack, someone.account)}",
    )


def wait_nothing_follows(stack: Stack, someone: Caller, expected: Tally) -> None:
    """Sends a last stream, whose prompt is counted after those of all before it, and waits for that."""
    assert someone.post("/generate_stream", counting(1)).status_code == 200
    expected.add(length(someone, COUNTING), 1)
    expected.add(0, 0)
    wait_booked(stack, someone, expected)


def length(someone: Caller, prompt: str) -> int:
    """The tokens of a prompt, as the engine counts them."""
    return len(someone.post("/tokenize", {"inputs": prompt}).json())


def chat_length(someone: Caller, messages: Sequence[dict[str, str]]) -> int:
    """The tokens of a conversation in the model's chat format."""
    answer = someone.post("/chat_tokenize", {"model": "tgi", "messages": messages})
    return len(answer.json()["tokenize_response"])


def generated_for(stack: Stack, left: Stream) -> int:
    """The tokens of a stream that its client left: in the access log, at least those that the client saw."""
    entry = figures.log_entry(stack, left.response.headers["x-request-id"])
    assert len(left.frames) <= entry["generated_tokens"] < LONG
    return int(entry["generated_tokens"])


def test_an_answer_from_the_root_is_booked_like_any_other(guarded: Stack) -> None:
    with caller(guarded, "rooted") as someone:
        expected = Tally()
        for body in (counting(3), {**counting(3), "stream": True}):
            assert someone.post("/", body).status_code == 200
            expected.add(length(someone, COUNTING), 3)
            expected.add(0, 0)
        wait_booked(guarded, someone, expected)


def test_a_stream_that_the_engine_refuses_costs_no_tokens(guarded: Stack) -> None:
    with caller(guarded, "invalid") as someone:
        expected = Tally()
        refusal = someone.stream("/generate_stream", REFUSED_BY_THE_ENGINE)
        refusal.read_all()
        assert [frame["error_type"] for frame in refusal.frames] == ["validation"]
        expected.add(0, 0)
        wait_nothing_follows(guarded, someone, expected)


def test_every_prompt_of_an_abandoned_stream_is_booked(guarded: Stack) -> None:
    """One of two prompts is answered to its end, the other goes on when the client leaves."""
    prompts = [ANSWERED_SHORTLY, COUNTING]
    with caller(guarded, "leaving") as someone:
        expected = Tally()
        stream = someone.stream(
            "/v1/completions", {**COMPLETIONS, "prompt": prompts, "max_tokens": LONG, "stream": True}
        )
        while not any(frame.get("usage") for frame in stream.frames):
            stream.read(1)
        stream.close()
        generated = generated_for(guarded, stream)
        expected.add(sum(length(someone, prompt) for prompt in prompts), generated)
        expected.add(0, 0)
        expected.add(0, 0)
        wait_booked(guarded, someone, expected)


def test_the_engines_death_loses_no_figure(guarded: Stack) -> None:
    """What it had generated until then is booked at once, the prompt when an engine can count it."""
    with caller(guarded, "bereft") as someone:
        expected = Tally()
        stream = someone.count_on()
        stream.read(3)
        guarded.container("tgi").kill()
        try:
            with pytest.raises(requests.RequestException):
                stream.read_all()
            assert someone.post("/generate", counting(1)).status_code == 503
        finally:
            guarded.container("tgi", stopped=True).start()
        guarded.wait_ready()
        expected.add(length(someone, COUNTING), generated_for(guarded, stream))
        expected.add(0, 0)
        expected.add(0, 0)
        wait_booked(guarded, someone, expected)
        tokens = f'appliance_tokens_total{{account="{someone.account}",kind="prompt"}}'
        assert figures.metrics(guarded)[tokens] == expected.prompt


def test_what_is_booked_outlives_nginx(guarded: Stack) -> None:
    nginx = guarded.container("nginx")

    def killed() -> None:
        nginx.kill()
        nginx.start()

    with caller(guarded, "lasting") as someone:
        expected = Tally()
        prompt = length(someone, COUNTING)
        expected.add(0, 0)
        for end in (nginx.restart, killed):
            assert someone.post("/generate", counting(2)).status_code == 200
            expected.add(prompt, 2)
            wait_booked(guarded, someone, expected)
            end()
            guarded.wait_ready()
        assert someone.post("/generate", counting(2)).status_code == 200
        expected.add(prompt, 2)
        wait_booked(guarded, someone, expected)


async def test_who_chats_on_the_page_is_booked_by_name(guarded: Stack) -> None:
    before = figures.used(guarded, "user:alice")
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address without a name are kept too
    async with aiohttp.ClientSession(cookie_jar=jar, read_bufsize=2**21) as http:
        alice = {"Authorization": aiohttp.encode_basic_auth("alice", "correct horse")}
        async with http.post(f"{guarded.url}/session", headers=alice) as signed_in:
            assert signed_in.status == 204
        chatter = Chatter(guarded.url, http)
        await chatter.open_page()
        await chatter.ask(COUNTING, 5)
        await asyncio.to_thread(wait_until, lambda: chatter.answer.over, "the answer is over")
        assert chatter.answer.whole

    conversation = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": COUNTING},
    ]
    with caller(guarded, "counter") as counter:
        prompt = chat_length(counter, conversation)
    expected = {**before, "requests": before["requests"] + 1}
    expected["prompt_tokens"] += prompt
    expected["generated_tokens"] += 5
    wait_until(
        lambda: figures.used(guarded, "user:alice") == expected,
        "alice's answer is booked",
        deadline_s=20,
        detail=lambda: f"expected {expected}\nfound    {figures.used(guarded, 'user:alice')}",
    )
