"""OpenAI's chat route as TGI has it, and TGI's /chat_tokenize."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.engine import Token
from cpu_engine.tgi.errors import TgiError, ToolError
from cpu_engine.tgi.http import read_json, while_connected
from cpu_engine.tgi.inference import End, Step
from cpu_engine.tgi.service import FINGERPRINT, Service, timing_headers
from cpu_engine.tgi.shapes import ChatRequest, GenerateRequest, chat_request
from cpu_engine.tgi.sse import DONE, EventStream, event
from cpu_engine.tgi.tokens import simple_tokens


class ChatRoutes:
    """Handlers of the two routes. A request's `model` is ignored: answers carry the name of the only one."""

    def __init__(self, service: Service) -> None:
        self._inference = service.inference
        self._payload_limit = service.settings.payload_limit
        self._model = service.settings.model_id

    async def completions(self, request: Request) -> Response | EventStream:
        """POST /v1/chat/completions."""
        asked = chat_request(await read_json(request, self._payload_limit))
        prompt = await self._prompt(asked)
        if asked.stream:
            return EventStream(self._events(asked, prompt), len(prompt.inputs))
        tokens, end = await while_connected(request, self._inference.generate(prompt))
        return Response(
            orjson.dumps(self._completion(asked, tokens, end)),
            headers=timing_headers(end, len(prompt.inputs)),
            media_type="application/json",
        )

    async def tokenize(self, request: Request) -> Response:
        """POST /chat_tokenize."""
        asked = chat_request(await read_json(request, self._payload_limit))
        prompt = await self._prompt(asked)
        pieces = await self._inference.tokenize(prompt)
        body = {"tokenize_response": simple_tokens(prompt.inputs, pieces), "templated_text": prompt.inputs}
        return Response(orjson.dumps(body), media_type="application/json")

    async def _prompt(self, asked: ChatRequest) -> GenerateRequest:
        """The templated request.

        Raises:
            ToolError: tools are not implemented here (a model of CPU size calls none).
            TemplateError: the template refuses the messages.
        """
        with self._inference.failures_counted():
            if asked.has_tools_key and asked.parameters.grammar:
                raise ToolError("Grammar and tools are mutually exclusive")
            if asked.uses_tools:
                raise ToolError("tools are not supported by the CPU engine")
        return GenerateRequest(
            inputs=await self._inference.render_chat(asked.messages),
            parameters=asked.parameters,
            add_special_tokens=False,
            has_images=asked.has_images,
            wants_tokens=asked.logprobs,
        )

    async def _events(self, asked: ChatRequest, prompt: GenerateRequest) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._inference.stream(prompt)) as steps:
                async for step in steps:
                    yield event(self._chunk([_choice(asked, step)], None))
                    if step.end is not None and asked.include_usage:
                        yield event(self._chunk([], usage(step.end)))
        except TgiError as error:
            yield event(openai_error(error))
        yield DONE

    def _chunk(self, choices: list[dict[str, object]], used: dict[str, int] | None) -> dict[str, object]:
        return {
            "object": "chat.completion.chunk",
            "id": "",
            "created": int(time.time()),
            "model": self._model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
            "usage": used,
        }

    def _completion(self, asked: ChatRequest, tokens: list[Token], end: End) -> dict[str, object]:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": end.generated_text},
            "logprobs": _logprobs(tokens) if asked.logprobs else None,
            "finish_reason": end.finish_reason.openai,
        }
        return {
            "object": "chat.completion",
            "id": "",
            "created": int(time.time()),
            "model": self._model,
            "system_fingerprint": FINGERPRINT,
            "choices": [choice],
            "usage": usage(end),
        }


def usage(*ends: End) -> dict[str, int]:
    """OpenAI's token counts over one or several answers."""
    prompt, completion = sum(end.input_length for end in ends), sum(end.generated_tokens for end in ends)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def openai_error(error: TgiError) -> dict[str, object]:
    """An error inside a stream of an OpenAI route; TGI's code there is always 422."""
    return {"error": {"message": str(error), "http_status_code": 422}}


def _choice(asked: ChatRequest, step: Step) -> dict[str, object]:
    return {
        "index": 0,
        "delta": {"role": "assistant", "content": "" if step.token.special else step.token.text},
        "logprobs": _logprobs([step.token]) if asked.logprobs else None,
        "finish_reason": step.end.finish_reason.openai if step.end else None,
    }


def _logprobs(tokens: Sequence[Token]) -> dict[str, object]:
    return {
        "content": [
            {
                "token": token.text,
                "logprob": token.logprob,
                "top_logprobs": [{"token": other.text, "logprob": other.logprob} for other in token.top],
            }
            for token in tokens
        ]
    }
