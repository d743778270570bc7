"""The façade on a scripted llama.cpp, for what the real one cannot be made to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from aiohttp import web
from aiohttp.typedefs import Handler

from cpu_engine.llama.client import LlamaClient
from cpu_engine.llama.engine import LlamaEngine
from cpu_engine.llama.gguf import ModelFile, Vocabulary
from cpu_engine.protocol import Http
from cpu_engine.settings import parse_arguments
from cpu_engine.tgi.app import create_app
from cpu_engine.tgi.inference import Inference
from cpu_engine.tgi.metrics import Metrics
from cpu_engine.tgi.service import Service


class ScriptedLlama:
    """llama.cpp's server for what the real one cannot be made to do: it answers what the test says.

    Attributes:
        frames: what /completion streams; `die` among them cuts the connection, `wait` waits for `release`.
        answers: what /completion streams instead, one of them each time, as long as there are any.
        templated: every body that /apply-template was sent.
        bodies: every body that /completion was sent.
        connections: the connection of every request.
    """

    def __init__(self) -> None:
        self.frames: Sequence[object] = ()
        self.answers: list[Sequence[object]] = []
        self.templated: list[dict[str, Any]] = []
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.template: tuple[int, dict[str, Any]] = (200, {"prompt": "<p>"})
        self.release = asyncio.Event()
        self.connections: list[object] = []

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._note_connection])
        app.router.add_post("/completion", self._completion)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/apply-template", self._template)
        app.router.add_get("/health", self._health)
        return app

    @web.middleware
    async def _note_connection(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.connections.append(request.transport)
        return await handler(request)

    async def _completion(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        if self.status != 200:
            return web.json_response({"error": {"message": "out of memory", "code": 500}}, status=self.status)
        response = web.StreamResponse()
        await response.prepare(request)
        for frame in self.answers.pop(0) if self.answers else self.frames:
            if frame == "wait":
                await self.release.wait()
            elif frame == "die":
                assert request.transport is not None
                request.transport.abort()
            else:
                await response.write(b"data: " + json.dumps(frame).encode() + b"\n\n")
        return response

    async def _tokenize(self, request: web.Request) -> web.Response:
        text = (await request.json())["content"]
        return web.json_response({"tokens": [{"id": ord(char), "piece": char} for char in text]})

    async def _template(self, request: web.Request) -> web.Response:
        self.templated.append(await request.json())
        return web.json_response(self.template[1], status=self.template[0])

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"}, status=self.status)


class Facade:
    """The façade on a scripted llama.cpp; both listen on loopback."""

    def __init__(self, llama: ScriptedLlama, session: aiohttp.ClientSession) -> None:
        self.llama = llama
        self.session = session

    async def post(self, path: str, body: object) -> tuple[int, str]:
        """POST JSON; status and text."""
        async with self.session.post(path, json=body) as response:
            return response.status, await response.text()

    async def stream(self, path: str, body: object) -> list[str]:
        """POST JSON; the data of every event. The status must be 200."""
        status, text = await self.post(path, body)
        assert status == 200, text
        return [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]


TOY_MODEL = ModelFile(
    context_length=512,
    has_chat_template=True,
    template_shows_tools=False,
    eos_token_id=2,
    vocabulary=Vocabulary(
        special={1: "<start>", 2: "<end>"}, fragments={10: b"\xf0\x9f", 11: b"\xa6", 12: b"\x9c"}
    ),
)


@asynccontextmanager
async def served(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    """The façade's HTTP server around `service`; a client's session with its address."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(service), port=0, http=Http, lifespan="off", log_config=None)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def running_facade(*flags: str, model: ModelFile = TOY_MODEL) -> AsyncIterator[Facade]:
    """A façade with flags (and another model file) for the length of an `async with`."""
    llama = ScriptedLlama()
    runner = web.AppRunner(llama.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    settings = parse_arguments(["--model-id", "toy/model", *flags])
    limits = settings.limits(model.context_length)
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with LlamaClient(address, "key") as client:
        inference = Inference(LlamaEngine(client, model), limits, settings.parallel, Metrics(limits))
        try:
            async with served(Service(inference, settings)) as session:
                yield Facade(llama, session)
        finally:
            await runner.cleanup()


def frame(text: str, id_: int, predicted: int, raw: bytes | None = None) -> dict[str, object]:
    """A frame of llama.cpp's stream for the token `id_`, the `predicted`-th."""
    details = {
        "id": id_,
        "token": text,
        "bytes": list(text.encode() if raw is None else raw),
        "logprob": -0.5,
    }
    return {
        "content": text,
        "tokens": [id_],
        "stop": False,
        "tokens_predicted": predicted,
        "completion_probabilities": [{**details, "top_logprobs": [details]}],
    }


def last_frame(reason: str, predicted: int) -> dict[str, object]:
    """The frame with which llama.cpp ends its stream."""
    return {"stop": True, "stop_type": reason, "tokens_predicted": predicted}
