"""OpenAI's chat route as TGI has it, and TGI's /chat_tokenize."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.engine import Token
from cpu_engine.tgi.chat_shapes import ChatRequest, Tool, chat_request
from cpu_engine.tgi.errors import TgiError
from cpu_engine.tgi.http import read_json, while_connected
from cpu_engine.tgi.inference import End, Step, Whole
from cpu_engine.tgi.service import FINGERPRINT, Service, timing_headers
from cpu_engine.tgi.shapes import GenerateRequest
from cpu_engine.tgi.sse import DONE, EventStream, event
from cpu_engine.tgi.tokens import simple_tokens
from cpu_engine.tgi.tools import NO_TOOL, Call, CallStream, grammar, offered, parse_call, told


class ChatRoutes:
    """Handlers of the two routes. A request's `model` is only said back: there is one model."""

    def __init__(self, service: Service) -> None:
        self._inference = service.inference
        self._payload_limit = service.settings.payload_limit
        self._model = service.settings.model_id

    async def completions(self, request: Request) -> Response | EventStream:
        """POST /v1/chat/completions."""
        return await self.answer(request, await read_json(request, self._payload_limit, chat_request))

    async def answer(self, request: Request, asked: ChatRequest) -> Response | EventStream:
        """The same for a body that has been read."""
        prompt, tools = await self.prompt(asked)
        if asked.stream:
            return EventStream(self._events(asked, prompt, bool(tools)), len(prompt.inputs))
        whole, call, characters = await while_connected(request, self._complete(asked, prompt, bool(tools)))
        return Response(
            orjson.dumps(self._completion(asked, whole, call)),
            headers=timing_headers(whole.end, characters),
            media_type="application/json",
        )

    async def tokenize(self, request: Request) -> Response:
        """POST /chat_tokenize."""
        asked = await read_json(request, self._payload_limit, chat_request)
        prompt, _ = await self.prompt(asked)
        pieces = await self._inference.tokenize(prompt)
        body = {"tokenize_response": simple_tokens(prompt.inputs, pieces), "templated_text": prompt.inputs}
        return Response(orjson.dumps(body), media_type="application/json")

    async def prompt(self, asked: ChatRequest) -> tuple[GenerateRequest, tuple[Tool, ...]]:
        """The templated request, and the tools among which the model must choose.

        Raises:
            ToolError: they cannot be offered.
            TemplateError: the template refuses the messages.
        """
        with self._inference.failures_counted():
            tools = offered(asked)
        messages, parameters, shown = (
            asked.messages,
            asked.parameters,
            self._inference.engine.template_shows_tools,
        )
        if tools:
            messages = told(messages, tools, asked.tool_prompt, shown)
            parameters = replace(parameters, grammar=grammar(tools))
        request = GenerateRequest(
            inputs=await self._inference.render_chat(
                messages, [_openai(tool) for tool in tools] if shown else ()
            ),
            parameters=parameters,
            add_special_tokens=False,
            wants_tokens=asked.logprobs,
        )
        return request, tools

    async def _complete(
        self, asked: ChatRequest, prompt: GenerateRequest, with_tools: bool
    ) -> tuple[Whole, Call | None, int]:
        """The answer, the call that it is, and the length of the prompt that led to it."""
        whole = (await self._inference.generate(prompt))[0]
        if not with_tools:
            return whole, None, len(prompt.inputs)
        with self._inference.failures_counted():
            call = parse_call(whole.end.generated_text)
        if call.name != NO_TOOL:
            return whole, call, len(prompt.inputs)
        prompt, _ = await self.prompt(_without_tools(asked))
        return (await self._inference.generate(prompt))[0], None, len(prompt.inputs)

    async def _events(
        self, asked: ChatRequest, prompt: GenerateRequest, with_tools: bool
    ) -> AsyncGenerator[bytes, None]:
        try:
            calls = CallStream() if with_tools else None
            async with aclosing(self._inference.stream(prompt)) as steps:
                async for step in steps:
                    delta = _delta(step, calls)
                    if calls and calls.name == NO_TOOL:
                        break
                    if delta is not None:
                        yield event(self._chunk(asked, [_choice(asked, step, delta)], None))
                    if step.end is not None and asked.include_usage:
                        yield event(self._chunk(asked, [], usage(step.end)))
            if calls and calls.name == NO_TOOL:
                prompt, _ = await self.prompt(_without_tools(asked))
                async with aclosing(self._events(asked, prompt, False)) as events:
                    async for one in events:
                        yield one
                return
        except TgiError as error:
            yield event(openai_error(error))
        yield DONE

    def _chunk(
        self, asked: ChatRequest, choices: list[dict[str, object]], used: dict[str, int] | None
    ) -> dict[str, object]:
        return {"object": "chat.completion.chunk", **self._head(asked), "choices": choices, "usage": used}

    def _completion(self, asked: ChatRequest, whole: Whole, call: Call | None) -> dict[str, object]:
        choice = {
            "index": 0,
            "message": {
                "role": "assistant",
                **(_called(call) if call else {"content": whole.end.generated_text}),
            },
            "logprobs": _logprobs(whole.tokens) if asked.logprobs else None,
            "finish_reason": whole.end.finish_reason.openai,
        }
        used = usage(whole.end)
        return {"object": "chat.completion", **self._head(asked), "choices": [choice], "usage": used}

    def _head(self, asked: ChatRequest) -> dict[str, object]:
        model = self._model if asked.model in (None, "tgi") else asked.model
        return {"id": "", "created": int(time.time()), "model": model, "system_fingerprint": FINGERPRINT}


def usage(*ends: End) -> dict[str, int]:
    """OpenAI's token counts over one or several answers."""
    prompt, completion = sum(end.input_length for end in ends), sum(end.generated_tokens for end in ends)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def openai_error(error: TgiError) -> dict[str, object]:
    """An error inside a stream of an OpenAI route; TGI's code there is always 422."""
    return {"error": {"message": str(error), "http_status_code": 422}}


def _without_tools(asked: ChatRequest) -> ChatRequest:
    return replace(asked, tools=None, parameters=replace(asked.parameters, grammar=None))


def _openai(tool: Tool) -> dict[str, object]:
    described = {"name": tool.name, "description": tool.description or "", "parameters": tool.arguments}
    return {"type": "function", "function": described}


def _called(call: Call) -> dict[str, object]:
    function = {"description": None, "name": call.name, "arguments": orjson.dumps(call.arguments).decode()}
    return {"tool_calls": [{"id": "0", "type": "function", "function": function}]}


def _delta(step: Step, calls: CallStream | None) -> dict[str, object] | None:
    """What a token adds for the client, or None for nothing."""
    if calls is None:
        return {"role": "assistant", "content": "" if step.token.special else step.token.text}
    part = calls.push(step.token.text)
    if part is None:
        return None
    name, arguments = part
    function = {"name": name, "arguments": arguments}
    call = {"index": 0, "id": "0", "type": "function", "function": function}
    return {"role": "assistant", "tool_calls": [call]}


def _choice(asked: ChatRequest, step: Step, delta: dict[str, object]) -> dict[str, object]:
    return {
        "index": 0,
        "delta": delta,
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
