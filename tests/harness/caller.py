"""Programs that use a closed appliance's API, each with a key of its own, and the streams that they read.

Owns the keys' life around a test: made by the command line before it, revoked after it. Judges nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import requests

from harness.sse import events
from harness.stack import Stack
from harness.waiting import wait_until

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
COUNTING = "1, 2, 3,"  # asked greedily, the model counts on for as long as it may
LONG = 3000  # tokens: longer than any test looks on


@dataclass(frozen=True)
class Caller:
    """Somebody with a key; every request is on a connection of its own, in `conversation` if that is set."""

    url: str
    name: str
    key: str
    conversation: str = ""

    @property
    def account(self) -> str:
        """Its name in logs, usage and metrics."""
        return f"key:{self.name}"

    @property
    def headers(self) -> dict[str, str]:
        conversation = {"X-Conversation-ID": self.conversation} if self.conversation else {}
        return {"Authorization": f"Bearer {self.key}", **conversation}

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, headers=self.headers, timeout=60)

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        """The whole answer, whether or not it was streamed."""
        return requests.post(self.url + path, json=body, headers=self.headers, timeout=120)

    def stream(self, path: str, body: dict[str, Any]) -> Stream:
        """The answer as soon as its head is there."""
        response = requests.post(self.url + path, json=body, headers=self.headers, timeout=120, stream=True)
        return Stream(response)

    def count_on(self, tokens: int = LONG) -> Stream:
        """Asks for a long stream."""
        return self.stream("/generate_stream", counting(tokens))

    def at_once(self, count: int, path: str, body: dict[str, Any]) -> list[requests.Response]:
        """So many requests at the same time, each on a connection of its own."""
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self.post(path, body), range(count)))


class Stream:
    """An event stream that is being read."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.frames: list[Any] = []
        # kept: dropping the iterator would close the connection
        self._coming = events(response)

    def read(self, count: int) -> None:
        """Takes so many more frames."""
        self.frames += [next(self._coming) for _ in range(count)]

    def read_all(self) -> None:
        """Takes the frames up to the end."""
        self.frames += list(self._coming)

    def close(self) -> None:
        """Goes away, in the middle of the answer or not."""
        self.response.close()


def counting(tokens: int) -> dict[str, Any]:
    """A body for TGI's routes: greedy, and ended by nothing but its length."""
    return {"inputs": COUNTING, "parameters": {"max_new_tokens": tokens, "do_sample": False}}


def works(caller: Caller) -> bool:
    """Whether the door knows the key: it opens to it, and to nobody without one."""
    stranger = requests.get(f"{caller.url}/v1/models", timeout=60)
    return (stranger.status_code, caller.get("/v1/models").status_code) == (401, 200)


@contextmanager
def callers(stack: Stack, keys: dict[str, Sequence[str]]) -> Iterator[list[Caller]]:
    """Callers whose keys last while the block does: what their names begin with, and options of ``keys add``.

    Each name is new, so that nothing is counted for it yet.
    """
    wanted = {f"{name}-{secrets.token_hex(3)}": options for name, options in keys.items()}
    with ThreadPoolExecutor(len(keys)) as pool:
        made = list(pool.map(lambda item: stack.add_key(item[0], *item[1]), wanted.items()))
        known = [Caller(stack.url, name, key) for name, key in zip(wanted, made, strict=True)]
        try:
            for someone in known:
                wait_until(partial(works, someone), f"the key {someone.name} opens the door")
            yield known
        finally:
            list(pool.map(lambda name: stack.appliance("keys", "revoke", name, "--yes"), wanted))


@contextmanager
def caller(stack: Stack, name: str, *options: str) -> Iterator[Caller]:
    """One caller, as above."""
    with callers(stack, {name: options}) as (only,):
        yield only
