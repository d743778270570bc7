"""A stand-in for the engine on a loopback port, for what a real one cannot be made to do on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HEAD = '"object":"chat.completion.chunk","id":"","created":1,"model":"m","system_fingerprint":"f"'
WHOLE: dict[str, Any] = {
    "object": "chat.completion",
    "id": "",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello."},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def token(text: str, reason: str = "null") -> bytes:
    """A token's frame, byte for byte as TGI writes it."""
    delta = f'{{"role":"assistant","content":"{text}"}}'
    choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}'
    return f'data: {{{HEAD},"choices":[{choice}],"usage":null}}\n\n'.encode()


@dataclass
class FakeEngine:
    """The knobs and what was seen.

    Attributes:
        stream: what a streamed answer is made of; None waits for `go_on`, an Exception drops the connection.
        answer: status and body of what is not streamed; bytes are sent as text.
        healthy: what it says of itself; None says nothing before `go_on`.
        counts: whether it can; None says nothing before `go_on`.
        asked: path, headers and body of every request.
        left: set when a client went away during an answer.
    """

    stream: list[bytes | Exception | None] = field(default_factory=list)
    answer: tuple[int, Any] = (200, WHOLE)
    headers: dict[str, str] = field(default_factory=dict)
    healthy: bool | None = True
    counts: bool | None = True
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_get("/health", self._health)
        app.router.add_post("/generate", self._prepare)
        app.router.add_post("/v1/chat/completions", self._generate)
        app.router.add_post("/v1/completions", self._generate)
        app.router.add_post("/chat_tokenize", self._chat_tokenize)
        app.router.add_post("/tokenize", self._tokenize)
        return app

    async def _note(self, request: web.Request) -> Any:
        body = await request.json()
        self.asked.append((request.path, dict(request.headers), body))
        return body

    async def _health(self, _: web.Request) -> web.Response:
        if self.healthy is None:
            await self.go_on.wait()
        return web.Response(status=200 if self.healthy else 503)

    async def _prepare(self, _: web.Request) -> web.Response:
        return web.json_response({"generated_text": "{"})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await self._note(request)
        status, answer = self.answer
        try:
            if body.get("stream") and status == 200:
                return await self._stream(request)
            if answer is None:
                await self.go_on.wait()
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        if isinstance(answer, bytes):
            return web.Response(status=status, body=answer, headers=self.headers)
        return web.json_response(answer, status=status, headers=self.headers)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in self.stream:
            if piece is None:
                await self.go_on.wait()
            elif isinstance(piece, Exception):
                assert request.transport is not None
                request.transport.abort()
                break
            else:
                await response.write(piece)
        return response

    async def _chat_tokenize(self, request: web.Request) -> web.Response:
        body = await self._note(request)
        await self._can_count()
        words = [word for message in body["messages"] for word in str(message.get("content")).split()]
        return web.json_response(
            {"tokenize_response": [{"text": word} for word in words], "templated_text": ""}
        )

    async def _can_count(self) -> None:
        if self.counts is False:
            raise web.HTTPServiceUnavailable
        try:
            if self.counts is None:
                await self.go_on.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await self._note(request)
        await self._can_count()
        return web.json_response([{"text": word} for word in body["inputs"].split()])


@asynccontextmanager
async def running(engine: FakeEngine) -> AsyncIterator[FakeEngine]:
    """Serve `engine` on a loopback port; its address is in `engine.url`."""
    # handler_cancellation: a client that goes away is noticed at once, not at the next write
    runner = web.AppRunner(engine.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    engine.url = f"http://{host}:{port}"
    try:
        yield engine
    finally:
        await runner.cleanup()
