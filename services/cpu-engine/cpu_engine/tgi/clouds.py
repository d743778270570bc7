"""The routes by which SageMaker and Vertex AI ask: other clothes for the same requests."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.tgi.chat import ChatRoutes
from cpu_engine.tgi.chat_shapes import CHAT_REQUEST, chat
from cpu_engine.tgi.completions import CompletionRoutes
from cpu_engine.tgi.errors import EmptyVertexRequest, IncompleteVertexGeneration, Overloaded, TgiError
from cpu_engine.tgi.generate import GenerateRoutes
from cpu_engine.tgi.http import read_json, while_connected
from cpu_engine.tgi.serde import Field, Read, array, fields, read_body, untagged
from cpu_engine.tgi.service import Service
from cpu_engine.tgi.shapes import (
    COMPATIBLE_REQUEST,
    COMPLETION_REQUEST,
    SAMPLED,
    VERTEX_INSTANCE,
    GenerateRequest,
    compatible,
    completion,
)
from cpu_engine.tgi.sse import EventStream


def _as(kind: str, read: Read[dict[str, Any]]) -> Read[tuple[str, dict[str, Any]]]:
    """A reader that tells which one it is."""
    return lambda json: (kind, read(json))


_SAGEMAKER = untagged(
    "SagemakerRequest",
    _as("generate", COMPATIBLE_REQUEST),
    _as("chat", CHAT_REQUEST),
    _as("completion", COMPLETION_REQUEST),
)
_INSTANCE = untagged("VertexInstance", _as("generate", VERTEX_INSTANCE), _as("chat", CHAT_REQUEST))
_VERTEX = fields("VertexRequest", Field("instances", array(_INSTANCE)))


class CloudRoutes:
    """Handlers of /invocations and /vertex."""

    def __init__(
        self, service: Service, generate: GenerateRoutes, chat: ChatRoutes, completions: CompletionRoutes
    ) -> None:
        self._inference = service.inference
        self._payload_limit = service.settings.payload_limit
        self._generate, self._chat, self._completions = generate, chat, completions

    async def invocations(self, request: Request) -> Response | EventStream:
        """POST /invocations: what the body has decides which route it is for."""
        kind, found = await read_json(request, self._payload_limit, partial(read_body, read=_SAGEMAKER))
        if kind == "generate":
            return await self._generate.answer_compatible(request, *compatible(found))
        if kind == "chat":
            return await self._chat.answer(request, chat(found))
        return await self._completions.answer(request, completion(found))

    async def vertex(self, request: Request) -> Response:
        """POST /vertex: a text for each instance; whatever goes wrong with one of them is the same 500."""
        body = await read_json(request, self._payload_limit, partial(read_body, read=_VERTEX))
        instances = body["instances"]
        try:
            with self._inference.failures_counted():
                if not instances:
                    raise EmptyVertexRequest
                if len(instances) > self._inference.limits.max_concurrent_requests:
                    raise Overloaded  # one of them would be
        except Overloaded as error:
            raise IncompleteVertexGeneration from error
        asked = [await self._instance(kind, found) for kind, found in instances]
        texts = await while_connected(request, self._texts(asked))
        return Response(orjson.dumps({"predictions": texts}), media_type="application/json")

    async def _instance(self, kind: str, found: dict[str, Any]) -> GenerateRequest:
        if kind == "chat":
            return (await self._chat.prompt(chat(found)))[0]
        given = found["parameters"] or SAMPLED
        kept = replace(SAMPLED, max_new_tokens=given.max_new_tokens, seed=given.seed, details=True)
        return GenerateRequest(found["inputs"], kept, wants_tokens=False)

    async def _texts(self, asked: list[GenerateRequest]) -> list[str]:
        tasks = [asyncio.create_task(self._inference.generate(one)) for one in asked]
        try:
            return [answers[0].end.generated_text for answers in await asyncio.gather(*tasks)]
        except TgiError as error:
            raise IncompleteVertexGeneration from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
