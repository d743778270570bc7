"""The handlers: what is asked, the engine's answer, and which of the two forms they are in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from openai_api import counting, tgi_form
from openai_api.answers import chat_answer, completion_answer, usage_of
from openai_api.chat import ChatRequest, chat_request
from openai_api.chat_stream import ChatStream
from openai_api.checks import Json
from openai_api.completion_stream import CompletionStream
from openai_api.completions import CompletionRequest, completion_request, prompts
from openai_api.cut_call import cut_answer
from openai_api.engine import Engine, caller_of
from openai_api.errors import ApiError, CallCut, NotFound
from openai_api.http import read, while_connected
from openai_api.streaming import StreamedAnswer

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
_AS_IS = {"X-Accel-Redirect": "@engine_as_is"}
"""nginx sends the request that it has to the engine itself, and the engine's answer untouched."""

log = logging.getLogger(__name__)


class Routes:
    """The routes around one engine."""

    def __init__(self, engine: Engine, model_id: str, max_total_tokens: int | None) -> None:
        self._engine = engine
        self._model: Json = {"id": model_id, "object": "model", "created": 0, "owned_by": model_id}
        if max_total_tokens:
            # under the name by which agents look for it, which have it from vLLM
            self._model["max_model_len"] = max_total_tokens

    async def chat(self, request: Request) -> Response | StreamedAnswer:
        """POST /v1/chat/completions."""
        asked = await read(request, _chat)
        if asked is None:
            return Response(headers=_AS_IS)
        caller = caller_of(request.headers)
        if not asked.stream:
            return await while_connected(request.receive, self._chat(asked, caller))
        stream = ChatStream(asked)

        async def complete() -> bytes:
            told = await self._untold(asked, stream, caller)
            await self._complete_chat(asked, stream)
            return told

        return StreamedAnswer(self._engine, CHAT, asked.body, caller, stream, complete)

    async def completions(self, request: Request) -> Response | StreamedAnswer:
        """POST /v1/completions."""
        asked = await read(request, _completion)
        if asked is None:
            return Response(headers=_AS_IS)
        caller = caller_of(request.headers)
        if not asked.stream:
            raw, headers = await while_connected(
                request.receive, self._whole(COMPLETIONS, asked.body, caller)
            )
            return Response(completion_answer(raw, asked), headers=headers, media_type="application/json")
        stream = CompletionStream(asked)

        async def complete() -> bytes:
            await self._complete_completions(asked, stream)
            return b""

        return StreamedAnswer(self._engine, COMPLETIONS, asked.body, caller, stream, complete)

    async def count_chat(self, request: Request) -> Response:
        """POST /count/v1/chat/completions: the tokens of the prompt that the engine would get."""
        body = await read(
            request, lambda fields: fields if tgi_form.chat_is(fields) else chat_request(fields).body
        )
        counted = counting.of_chat(self._engine, body, {})
        return JSONResponse({"tokens": await while_connected(request.receive, counted)})

    async def count_completions(self, request: Request) -> Response:
        """POST /count/v1/completions: of all prompts together."""
        texts = await read(request, lambda fields: prompts(fields.get("prompt")))
        counted = counting.of_texts(self._engine, texts, {})
        return JSONResponse({"tokens": await while_connected(request.receive, counted)})

    async def models(self, _: Request) -> Response:
        """GET /v1/models."""
        return JSONResponse({"object": "list", "data": [self._model]})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/{id}."""
        asked = request.path_params["id"]
        if asked != self._model["id"]:
            raise NotFound(
                f"The model '{asked[:200]}' does not exist: this appliance serves {self._model['id']}.",
                "model",
                "model_not_found",
            )
        return JSONResponse(self._model)

    async def _chat(self, asked: ChatRequest, caller: Mapping[str, str]) -> Response:
        try:
            raw, headers = await self._whole(CHAT, asked.body, caller)
        except CallCut as cut:
            return await self._cut(cut, asked)
        return Response(chat_answer(raw, asked), headers=headers, media_type="application/json")

    async def _cut(self, cut: CallCut, asked: ChatRequest) -> Response:
        """What is not counted here nginx counts later, as far as it can."""
        try:
            prompt = await counting.of_chat(self._engine, asked.body, {})
            written = await counting.of_texts(self._engine, [cut.written], {})
        except ApiError:
            log.warning("the usage of a call that was cut could not be counted")
            return JSONResponse(cut_answer(cut, asked, None))
        headers = {"x-prompt-tokens": str(prompt), "x-generated-tokens": str(written)}
        return JSONResponse(cut_answer(cut, asked, usage_of(prompt, written)), headers=headers)

    async def _whole(
        self, path: str, body: Mapping[str, Any], caller: Mapping[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        """An answer's body, and the engine's headers that count and time it."""
        async with self._engine.asked(path, body, caller) as response:
            headers = {
                name: value for name, value in response.headers.items() if name.lower().startswith("x-")
            }
            return await response.read(), headers

    async def _untold(self, asked: ChatRequest, stream: ChatStream, caller: Mapping[str, str]) -> bytes:
        """A call whose arguments were left out of a stream is asked for once more, whole."""
        if (name := stream.untold) is None:
            return b""
        function = {"type": "function", "function": {"name": name}}
        body = {key: value for key, value in asked.body.items() if key not in ("stream", "stream_options")}
        try:
            raw, _ = await self._whole(CHAT, {**body, "tool_choice": function}, caller)
            (call,) = orjson.loads(chat_answer(raw, asked))["choices"][0]["message"]["tool_calls"]
        except (ApiError, KeyError, ValueError):
            log.warning("the arguments of a streamed call could not be asked for again")
            return b""
        return stream.tell(call["function"]["arguments"])

    async def _complete_chat(self, asked: ChatRequest, stream: ChatStream) -> None:
        """TGI tells no usage of a call, and none of an answer that was ended here."""
        if not asked.include_usage or stream.usage is not None:
            return
        try:
            prompt = await counting.of_chat(self._engine, asked.body, {})
            written = stream.tokens
            if stream.call is not None:
                written = await counting.of_texts(self._engine, [_written(*stream.call)], {})
            stream.usage = usage_of(prompt, written)
        except ApiError:
            log.warning("the usage of a stream could not be counted")

    async def _complete_completions(self, asked: CompletionRequest, stream: CompletionStream) -> None:
        if not asked.include_usage and not stream.counts_all:
            return
        try:
            for index in stream.uncounted():
                stream.count(index, await counting.of_texts(self._engine, [asked.prompts[index]], {}))
        except ApiError:
            log.warning("the usage of a stream could not be counted")


def _chat(fields: Json) -> ChatRequest | None:
    """None where it is in TGI's own form."""
    return None if tgi_form.chat_is(fields) else chat_request(fields)


def _completion(fields: Json) -> CompletionRequest | None:
    return None if tgi_form.completion_is(fields) else completion_request(fields)


def _written(name: str, arguments: str) -> str:
    """A call as the model writes it for TGI."""
    members: Json = {"_name": name}
    try:
        members |= orjson.loads(arguments)
    except (orjson.JSONDecodeError, TypeError):
        return f'{{"function": {{"_name": "{name}", {arguments}'
    return orjson.dumps({"function": members}).decode()
