"""A request's life: admission, validation, queue, generation.

Owns the limits on how many requests are served and the order of events; HTTP shapes are the routes' business,
TGI's rules `validation`'s and `answer`'s, generating the engine's.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from cpu_engine.engine import Engine, Message, Piece, Sampling, Token
from cpu_engine.errors import GenerationFailed, TemplateRefused
from cpu_engine.settings import Limits
from cpu_engine.tgi.answer import Answer, FinishReason
from cpu_engine.tgi.errors import (
    GenerationError,
    IncompleteGeneration,
    Overloaded,
    TemplateError,
    TgiError,
    ValidationError,
)
from cpu_engine.tgi.metrics import Metrics
from cpu_engine.tgi.shapes import GenerateRequest
from cpu_engine.tgi.validation import (
    check_best_of,
    grammar_pattern,
    validate_length,
    validate_sampling,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timings:
    """Moments of a request, in seconds of `time.perf_counter`."""

    received: float
    queued: float
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class End:
    """What is known once an answer is complete; `seed` is None for greedy decoding."""

    generated_text: str
    finish_reason: FinishReason
    generated_tokens: int
    input_length: int
    seed: int | None
    timings: Timings


@dataclass(frozen=True, slots=True)
class Step:
    """One generated token; the last one carries the end."""

    index: int
    token: Token
    end: End | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer, by its tokens and its end."""

    tokens: list[Token]
    end: End

    def likelihood(self) -> float:
        """Mean log-probability of its tokens, by which TGI chooses the best."""
        known = [token.logprob for token in self.tokens if token.logprob is not None]
        return sum(known) / len(known) if known else float("-inf")


@dataclass(frozen=True, slots=True)
class Asked:
    """A validated request: the tokens to continue, how, and how far."""

    prompt: tuple[int, ...]
    sampling: Sampling
    stop: tuple[str, ...]
    max_new_tokens: int
    wants_tokens: bool


class Inference:
    """The model as the routes see it.

    Args:
        engine: what generates.
        limits: what a request may ask for.
        parallel: requests that the engine works on at the same time.
        metrics: where to count.
    """

    def __init__(self, engine: Engine, limits: Limits, parallel: int, metrics: Metrics) -> None:
        self.engine = engine
        self.limits = limits
        self.metrics = metrics
        self._admitted = 0
        self._waiting = 0
        self._slots = asyncio.Semaphore(parallel)

    async def tokenize(self, request: GenerateRequest) -> list[Piece]:
        """Tokens of the prompt, all of them."""
        with _failures_translated():
            return await self.engine.tokenize(request.inputs, request.add_special_tokens)

    async def render_chat(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, object]] = ()
    ) -> str:
        """The prompt of a conversation; a last assistant message is left open, to be continued.

        Raises:
            TemplateError: the model has no chat template, or it refuses the messages.
        """
        with self.failures_counted(), _failures_translated():
            prompt = await self.engine.apply_template(messages, tools)
        if messages and messages[-1].role == "assistant":
            content = messages[-1].content
            start = prompt.rfind(content)  # an empty one is found at the end, by TGI too
            return prompt if start < 0 else prompt[: start + len(content)].rstrip()
        return prompt

    async def stream(self, request: GenerateRequest) -> AsyncGenerator[Step, None]:
        """Generate token by token. Closing this generator stops the engine's work and frees the slot.

        Raises:
            TgiError: overloaded, refused by validation, or failed while generating.
        """
        received = time.perf_counter()
        self.metrics.requests.inc()
        with self.failures_counted(), _failures_translated(), self._permit():
            asked = await self._validate(request)
            queued = time.perf_counter()
            async with self._slot(), aclosing(self._generate(asked, received, queued)) as steps:
                async for step in steps:
                    if step.end is not None:
                        break
                    yield step
                else:
                    raise IncompleteGeneration
        self._count_success(step.end)  # the slot is free before the last token is out
        yield step

    async def generate(self, request: GenerateRequest) -> list[Whole]:
        """Generate whole answers: the best of as many as are asked for, then the others."""
        best_of = request.parameters.best_of or 1
        if best_of == 1:
            return [await self._whole(request)]
        with self.failures_counted():
            check_best_of(best_of, self.limits)
        tasks = [asyncio.create_task(self._whole(request)) for _ in range(best_of)]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        best = max(answers, key=Whole.likelihood)
        return [best, *(answer for answer in answers if answer is not best)]

    async def _whole(self, request: GenerateRequest) -> Whole:
        tokens: list[Token] = []
        async with aclosing(self.stream(request)) as steps:
            async for step in steps:
                tokens.append(step.token)
                if step.end is not None:
                    return Whole(tokens, step.end)
        raise IncompleteGeneration

    async def observe(self) -> None:
        """Bring the gauges up to date, from the engine's own count where it tells."""
        inside = await self.engine.load()
        processing, deferred = inside or (self._admitted - self._waiting, 0)
        self.metrics.batch_size.set(processing)
        self.metrics.queue_size.set(self._waiting + deferred)

    async def _validate(self, request: GenerateRequest) -> Asked:
        given = request.parameters
        sampling = validate_sampling(request, self.limits)
        prompt = tuple(piece.id for piece in await self.tokenize(request))
        if given.truncate:  # the tail is kept
            prompt = prompt[-given.truncate :]
        if not prompt:
            raise ValidationError("`inputs` cannot be empty")
        max_new_tokens = validate_length(len(prompt), given.max_new_tokens, self.limits)
        if given.grammar is not None:
            pattern = await asyncio.to_thread(grammar_pattern, given.grammar)  # a large schema takes its time
            sampling = replace(sampling, pattern=pattern)
        self.metrics.input_length.observe(len(prompt))
        self.metrics.max_new_tokens.observe(max_new_tokens)
        return Asked(prompt, sampling, given.stop, max_new_tokens, request.wants_tokens)

    async def _generate(self, asked: Asked, received: float, queued: float) -> AsyncGenerator[Step, None]:
        started = time.perf_counter()
        answer = Answer(asked.max_new_tokens, asked.stop)
        generated = self.engine.generate(
            asked.prompt, asked.sampling, asked.max_new_tokens, asked.wants_tokens
        )
        async with aclosing(generated) as tokens:
            async for token, ends_text in tokens:
                reason = answer.add(token, ends_text)
                end = None
                if reason:
                    timings = Timings(received, queued, started, time.perf_counter())
                    seed = asked.sampling.seed if asked.sampling.sample else None
                    counts = (answer.generated_tokens, len(asked.prompt))
                    end = End(answer.text, reason, *counts, seed, timings)
                yield Step(answer.generated_tokens, token, end)

    @contextmanager
    def _permit(self) -> Iterator[None]:
        if self._admitted >= self.limits.max_concurrent_requests:
            raise Overloaded
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def failures_counted(self) -> Iterator[None]:
        """Log and count what ends a request before its answer is complete."""
        try:
            yield
        except TgiError as error:
            log.warning("%s", error, extra={"error_type": error.error_type})
            if error.metric:
                self.metrics.failures.labels(error.metric).inc()
            raise
        except (asyncio.CancelledError, GeneratorExit):
            log.info("client gone, generation stopped")
            self.metrics.failures.labels("dropped").inc()
            raise

    def _count_success(self, end: End) -> None:
        times, metrics = end.timings, self.metrics
        inference = times.ended - times.started
        metrics.successes.inc()
        metrics.duration.observe(times.ended - times.received)
        metrics.validation_duration.observe(times.queued - times.received)
        metrics.queue_duration.observe(times.started - times.queued)
        metrics.inference_duration.observe(inference)
        metrics.time_per_token.observe(inference / end.generated_tokens)
        metrics.generated_tokens.observe(end.generated_tokens)
        log.info(
            "success",
            extra={
                "input_length": end.input_length,
                "generated_tokens": end.generated_tokens,
                "finish_reason": end.finish_reason.value,
                "queue_s": round(times.started - times.queued, 3),
                "total_s": round(times.ended - times.received, 3),
            },
        )


@contextmanager
def _failures_translated() -> Iterator[None]:
    """The engine's failures as TGI's."""
    try:
        yield
    except GenerationFailed as error:
        raise GenerationError(str(error)) from error
    except TemplateRefused as error:
        raise TemplateError(str(error)) from error
    except TgiError:
        raise
    except Exception as error:
        log.exception("what an engine must not do")
        raise GenerationError(type(error).__name__) from error
