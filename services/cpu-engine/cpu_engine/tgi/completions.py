"""OpenAI's older completion route as TGI has it: one or several prompts in one request."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.tgi.chat import openai_error, usage
from cpu_engine.tgi.errors import BatchSizeExceeded, SuffixNotSupported, TgiError
from cpu_engine.tgi.http import read_json, while_connected
from cpu_engine.tgi.inference import End, Step
from cpu_engine.tgi.service import FINGERPRINT, Service, timing_headers
from cpu_engine.tgi.shapes import CompletionRequest, GenerateRequest, completion_request
from cpu_engine.tgi.sse import DONE, EventStream, event

_SUMMED_HEADERS = (
    "x-compute-characters",
    "x-total-time",
    "x-validation-time",
    "x-queue-time",
    "x-inference-time",
    "x-time-per-token",
    "x-prompt-tokens",
    "x-generated-tokens",
)


class CompletionRoutes:
    """Handler of /v1/completions."""

    def __init__(self, service: Service) -> None:
        self._inference = service.inference
        self._payload_limit = service.settings.payload_limit
        self._model = service.settings.model_id

    async def completions(self, request: Request) -> Response | EventStream:
        """POST /v1/completions."""
        return await self.answer(request, await read_json(request, self._payload_limit, completion_request))

    async def answer(self, request: Request, asked: CompletionRequest) -> Response | EventStream:
        """The same for a body that has been read."""
        with self._inference.failures_counted():
            self._check(asked)
        prompts = [GenerateRequest(text, asked.parameters, wants_tokens=False) for text in asked.prompts]
        if asked.stream:
            return EventStream(self._events(prompts), sum(map(len, asked.prompts)))
        ends = await while_connected(request, self._all(prompts))
        return Response(
            orjson.dumps(self._completion(ends)),
            headers=_summed_headers(ends, asked.prompts),
            media_type="application/json",
        )

    def _check(self, asked: CompletionRequest) -> None:
        if asked.has_suffix:
            raise SuffixNotSupported(
                "Suffix is not supported and can be achieved by preprocessing the prompt."
            )
        limit = self._inference.limits.max_client_batch_size
        if len(asked.prompts) > limit:
            raise BatchSizeExceeded(f"Number of prompts exceeds the maximum allowed batch size of {limit}")

    async def _all(self, prompts: Sequence[GenerateRequest]) -> list[End]:
        """Every prompt's answer; the first failure stops the others."""
        tasks = [asyncio.create_task(self._inference.generate(prompt)) for prompt in prompts]
        try:
            return [answers[0].end for answers in await asyncio.gather(*tasks)]
        finally:
            await _cancel(tasks)

    async def _events(self, prompts: Sequence[GenerateRequest]) -> AsyncGenerator[bytes, None]:
        """Events of all prompts as they come, with their index; a failed prompt does not stop the others."""
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        tasks = [
            asyncio.create_task(self._feed(index, prompt, events)) for index, prompt in enumerate(prompts)
        ]
        try:
            running = len(tasks)
            while running:
                item = await events.get()
                if item is None:
                    running -= 1
                else:
                    yield item
            yield DONE
        finally:
            await _cancel(tasks)

    async def _feed(self, index: int, prompt: GenerateRequest, events: asyncio.Queue[bytes | None]) -> None:
        try:
            async with aclosing(self._inference.stream(prompt)) as steps:
                async for step in steps:
                    events.put_nowait(event(self._chunk(index, step)))
        except TgiError as error:
            events.put_nowait(event(openai_error(error)))
        finally:
            events.put_nowait(None)

    def _chunk(self, index: int, step: Step) -> dict[str, object]:
        reason = step.end.finish_reason.value if step.end else ""
        choice = {"index": index, "text": step.token.text, "logprobs": None, "finish_reason": reason}
        return self._envelope([choice]) | ({"usage": usage(step.end)} if step.end else {})

    def _completion(self, ends: Sequence[End]) -> dict[str, object]:
        choices: list[dict[str, object]] = [
            {
                "index": index,
                "text": end.generated_text,
                "logprobs": None,
                "finish_reason": end.finish_reason.openai,
            }
            for index, end in enumerate(ends)
        ]
        return self._envelope(choices) | {"usage": usage(*ends)}

    def _envelope(self, choices: list[dict[str, object]]) -> dict[str, object]:
        return {
            "object": "text_completion",
            "id": "",
            "created": int(time.time()),
            "model": self._model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        }


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _summed_headers(ends: Sequence[End], prompts: Sequence[str]) -> dict[str, str]:
    each = [timing_headers(end, len(prompt)) for end, prompt in zip(ends, prompts, strict=True)]
    sums = {name: str(sum(int(headers[name]) for headers in each)) for name in _SUMMED_HEADERS}
    return {"x-compute-type": each[0]["x-compute-type"], **sums}
