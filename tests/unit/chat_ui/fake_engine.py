"""A stand-in for the engine on a loopback port, for what a real engine can't be made to do on demand.

It speaks TGI's contract (one token a word) and has knobs: pace, refusals, errors inside the stream, a cut, an
answer without end. `python fake_engine.py PORT` runs one for looking at the page by hand.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

Json = dict[str, Any]


@dataclass
class FakeEngine:
    """The knobs and what was seen.

    Attributes:
        answer: the tokens to stream; None streams "tick " without end.
        delay: seconds before each token.
        refuse: path -> (status, body) to answer with instead; a str body is sent as plain text.
        retry_after: the Retry-After header of refusals.
        error_after: after so many tokens, the event to send in place of the next one.
        cut_after: after so many tokens, the connection is dropped.
        finish_reason: what the final event says.
        hold: when set, each token waits for a permit.
        health_gate: when set, /health answers only once it is open.
        asked: path, X-User and X-Request-ID of every request; a missing header is None.
        conversations: the X-Conversation-ID of every request.
        generations: bodies of the generation requests.
        tokenized: messages of each /chat_tokenize call.
        open_streams: how many streams are open now.
        closed_early: set when a client went away during a stream.
    """

    answer: list[str] | None = field(default_factory=lambda: ["The ", "capital ", "is ", "Paris."])
    delay: float = 0.0
    refuse: dict[str, tuple[int, Json | str]] = field(default_factory=dict)
    retry_after: str | None = None
    error_after: tuple[int, Json] | None = None
    cut_after: int | None = None
    finish_reason: str = "eos_token"
    hold: asyncio.Semaphore | None = None
    max_input_tokens: int = 100
    max_total_tokens: int = 140
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    conversations: list[str | None] = field(default_factory=list)
    generations: list[Json] = field(default_factory=list)
    tokenized: list[list[Json]] = field(default_factory=list)
    health_calls: int = 0
    health_gate: asyncio.Event | None = None
    open_streams: int = 0
    closed_early: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._refusals])
        app.router.add_get("/health", self._health)
        app.router.add_get("/info", self._info)
        app.router.add_post("/chat_tokenize", self._chat_tokenize)
        app.router.add_post("/generate_stream", self._generate_stream)
        return app

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        self.asked.append((request.path, headers.get("X-User"), headers.get("X-Request-ID")))
        self.conversations.append(headers.get("X-Conversation-ID"))
        if request.path in self.refuse:
            status, body = self.refuse[request.path]
            more = {"Retry-After": self.retry_after} if self.retry_after is not None else None
            if isinstance(body, str):
                return web.Response(status=status, text=body, headers=more)
            return web.json_response(body, status=status, headers=more)
        return await handler(request)

    async def _health(self, _: web.Request) -> web.Response:
        self.health_calls += 1
        if self.health_gate is not None:
            await self.health_gate.wait()
        return web.Response()

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "model_id": "test/words",
                "max_input_tokens": self.max_input_tokens,
                "max_total_tokens": self.max_total_tokens,
            }
        )

    async def _chat_tokenize(self, request: web.Request) -> web.Response:
        messages = (await request.json())["messages"]
        self.tokenized.append(messages)
        text = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
        tokens = [word for message in messages for word in message["content"].split()]
        return web.json_response(
            {
                "templated_text": text,
                "tokenize_response": [{"id": 1, "text": token, "start": 0, "stop": 0} for token in tokens],
            }
        )

    async def _generate_stream(self, request: web.Request) -> web.StreamResponse:
        self.generations.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.open_streams += 1
        try:
            await self._stream(request, response)
        except (ConnectionError, asyncio.CancelledError):
            self.closed_early.set()
            raise
        finally:
            self.open_streams -= 1
        return response

    async def _stream(self, request: web.Request, response: web.StreamResponse) -> None:
        sent = ""
        number = 0
        async for token in self._tokens():
            if self.cut_after == number:
                assert request.transport is not None
                request.transport.abort()
                return
            if self.error_after is not None and self.error_after[0] == number:
                await self._send(response, self.error_after[1])
                return
            number += 1
            sent += token
            await self._send(response, _token_event(number, token))
        final = _token_event(number + 1, "", special=True)
        final["generated_text"] = sent
        final["details"] = {"finish_reason": self.finish_reason, "generated_tokens": number, "seed": 1}
        await self._send(response, final)

    async def _tokens(self) -> AsyncIterator[str]:
        number = 0
        while self.answer is None or number < len(self.answer):
            if self.hold is not None:
                await self.hold.acquire()
            # also without a delay: an endless stream has to let others run
            await asyncio.sleep(self.delay)
            yield "tick " if self.answer is None else self.answer[number]
            number += 1
        if self.cut_after == number or (self.error_after and self.error_after[0] == number):
            yield ""

    @staticmethod
    async def _send(response: web.StreamResponse, event: Json) -> None:
        await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


def _token_event(index: int, token: str, special: bool = False) -> Json:
    return {
        "index": index,
        "token": {
            "id": index,
            "text": "<|im_end|>" if special else token,
            "logprob": -0.1,
            "special": special,
        },
        "generated_text": None,
        "details": None,
    }


@asynccontextmanager
async def running(engine: FakeEngine, port: int = 0) -> AsyncIterator[FakeEngine]:
    """Serve `engine` on a loopback port; its address is in `engine.url`."""
    # handler_cancellation: a client that goes away is noticed at once, not at the next write
    runner = web.AppRunner(engine.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, bound = runner.addresses[0][:2]
    engine.url = f"http://{host}:{bound}"
    try:
        yield engine
    finally:
        await runner.cleanup()


DEMO = (
    "The capital of France is **Paris**.\n\n```python\ndef is_prime(n: int) -> bool:\n"
    "    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))\n```\n\n"
    "| City | Country |\n|---|---|\n| Paris | France |\n| Rome | Italy |\n\n"
    "And Euler wrote \\(e^{i\\pi} + 1 = 0\\), so that $$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$\n\n"
    "1. First\n2. Second\n\n![picture](http://example.com/x.png)\n"
)


async def _demo(port: int) -> None:
    words = [
        piece for line in DEMO.splitlines(keepends=True) for piece in line.replace(" ", " \0").split("\0")
    ]
    async with running(
        FakeEngine(answer=words, delay=0.03, max_input_tokens=2000, max_total_tokens=4000), port
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_demo(int(sys.argv[1])))
