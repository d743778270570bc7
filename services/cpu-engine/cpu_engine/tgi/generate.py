"""TGI's own routes: POST /, /generate and /generate_stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.engine import Token
from cpu_engine.tgi.errors import IncompleteGeneration, IncompleteGenerationStream, TgiError
from cpu_engine.tgi.http import read_json, while_connected
from cpu_engine.tgi.inference import End, Whole
from cpu_engine.tgi.service import Service, timing_headers
from cpu_engine.tgi.shapes import GenerateRequest, compatible_request, generate_request
from cpu_engine.tgi.sse import EventStream, event
from cpu_engine.tgi.validation import check_streamable


class GenerateRoutes:
    """Handlers of the three routes."""

    def __init__(self, service: Service) -> None:
        self._inference = service.inference
        self._payload_limit = service.settings.payload_limit

    async def generate(self, request: Request) -> Response:
        """POST /generate."""
        asked = await read_json(request, self._payload_limit, generate_request)
        return await self._whole(request, asked, in_list=False)

    async def generate_stream(self, request: Request) -> EventStream:
        """POST /generate_stream: always 200, errors travel inside."""
        asked = await read_json(request, self._payload_limit, generate_request)
        return EventStream(self._events(asked), len(asked.inputs))

    async def compatible(self, request: Request) -> Response | EventStream:
        """POST /: the prompt is part of the text by default, and the JSON answer is in a list."""
        asked, stream = await read_json(request, self._payload_limit, compatible_request)
        return await self.answer_compatible(request, asked, stream)

    async def answer_compatible(
        self, request: Request, asked: GenerateRequest, stream: bool
    ) -> Response | EventStream:
        """The same for a body that has been read."""
        if asked.parameters.return_full_text is None:
            asked = replace(asked, parameters=replace(asked.parameters, return_full_text=True))
        if stream:
            return EventStream(self._events(asked), len(asked.inputs))
        return await self._whole(request, asked, in_list=True)

    async def _whole(self, request: Request, asked: GenerateRequest, in_list: bool) -> Response:
        given = asked.parameters
        shows_tokens = given.details or given.decoder_input_details
        asked = replace(asked, wants_tokens=shows_tokens or (given.best_of or 1) > 1)
        best, *others = await while_connected(request, self._inference.generate(asked))
        end = best.end
        body: dict[str, object] = {"generated_text": _full_text(asked, end)}
        if shows_tokens:
            details = _details(asked, best)
            top_tokens = details.pop("top_tokens", None)
            if others:
                details["best_of_sequences"] = [
                    {"generated_text": _full_text(asked, other.end), **_details(asked, other)}
                    for other in others
                ]
            body["details"] = details | ({} if top_tokens is None else {"top_tokens": top_tokens})
        return Response(
            orjson.dumps([body] if in_list else body),
            headers=timing_headers(end, len(asked.inputs)),
            media_type="application/json",
        )

    async def _events(self, asked: GenerateRequest) -> AsyncGenerator[bytes, None]:
        try:
            check_streamable(asked.parameters)
            async with aclosing(self._inference.stream(asked)) as steps:
                async for step in steps:
                    yield event(_stream_body(asked, step.index, step.token, step.end))
        except IncompleteGeneration:
            yield event(IncompleteGenerationStream().body())
        except TgiError as error:
            yield event(error.body())


def _full_text(asked: GenerateRequest, end: End) -> str:
    return asked.inputs + end.generated_text if asked.parameters.return_full_text else end.generated_text


def _stream_body(asked: GenerateRequest, index: int, token: Token, end: End | None) -> dict[str, object]:
    body: dict[str, object] = {"index": index, "token": _token(token)}
    if token.top:
        body["top_tokens"] = [_token(alternative) for alternative in token.top]
    body |= {"generated_text": None, "details": None}
    if end is not None:
        body["generated_text"] = _full_text(asked, end)
        if asked.parameters.details:
            body["details"] = {
                "finish_reason": end.finish_reason.value,
                "generated_tokens": end.generated_tokens,
                "seed": end.seed,
                "input_length": end.input_length,
            }
    return body


def _details(asked: GenerateRequest, whole: Whole) -> dict[str, Any]:
    """`prefill` is empty, as with every TGI that runs without --enable-prefill-logprobs."""
    tokens, end = whole.tokens, whole.end
    details: dict[str, Any] = {
        "finish_reason": end.finish_reason.value,
        "generated_tokens": end.generated_tokens,
        "seed": end.seed,
        "prefill": [],
        "tokens": [_token(token) for token in tokens],
    }
    if asked.parameters.top_n_tokens:
        details["top_tokens"] = [[_token(alternative) for alternative in token.top] for token in tokens]
    return details


def _token(token: Token) -> dict[str, object]:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}
