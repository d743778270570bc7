"""Asynchronous calls to llama.cpp's own HTTP server.

Owns the wire format of that server (llama.cpp's tools/server/README.md). Knows nothing of TGI's routes.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Any

import aiohttp
import orjson

from cpu_engine.engine import Message, Piece, Sampling
from cpu_engine.errors import GenerationFailed, TemplateRefused
from cpu_engine.llama.gbnf import NoGrammar, grammar_of

_LINE_LIMIT = 1 << 20
_PROBE_TIMEOUT_S = 5.0
_SMALLEST = 1e-4
"""llama.cpp divides logits by a temperature; by less than this they become infinite, and it throws."""
_RANDOM_SEED = 2**32 - 1  # llama.cpp takes this one as "choose yourself"
SLACK_TOKENS = 4
"""Tokens asked for beyond a request's limit, and room that every slot needs for them: llama.cpp holds back a
character that the limit cuts, and tells its ids only once it is complete. The reader stops at the limit."""


class LlamaClient:
    """One session to one llama.cpp server; use as an async context manager.

    Args:
        address: its base URL.
        api_key: its key.
    """

    def __init__(self, address: str, api_key: str) -> None:
        self._address = address
        self._api_key = api_key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "LlamaClient":
        self._session = aiohttp.ClientSession(
            self._address,
            headers={"Authorization": f"Bearer {self._api_key}"},
            # why: llama.cpp closes a connection without notice after a stream, and with it the next request
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_PROBE_TIMEOUT_S),
            json_serialize=lambda value: orjson.dumps(value).decode(),
            read_bufsize=_LINE_LIMIT,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session."""
        if self._session is None:
            raise RuntimeError("LlamaClient is used outside its context")
        return self._session

    async def tokenize(self, text: str, add_special: bool) -> list[Piece]:
        """Tokens of `text`, special ones recognised.

        Raises:
            GenerationFailed: the server failed.
        """
        body = {"content": text, "add_special": add_special, "parse_special": True, "with_pieces": True}
        status, answer = await self._post("/tokenize", body)
        if status != 200:
            raise GenerationFailed(_error_text(answer))
        return [Piece(item["id"], _piece_bytes(item["piece"])) for item in answer["tokens"]]

    async def apply_template(self, messages: Sequence[Message], tools: Sequence[Mapping[str, object]]) -> str:
        """The model's chat template rendered with a generation prompt.

        Raises:
            TemplateRefused: the template refuses the messages.
            GenerationFailed: the server failed.
        """
        body: dict[str, object] = {
            "messages": [{"role": message.role, "content": message.content} for message in messages]
        }
        if tools:
            body["tools"] = tools
        status, answer = await self._post("/apply-template", body)
        if status != 200:
            raise TemplateRefused(_error_text(answer))
        return str(answer["prompt"])

    async def complete(
        self, prompt: Sequence[int], sampling: Sampling, max_new_tokens: int, with_probabilities: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Generate; yields llama.cpp's frames. Closing this generator closes the connection: the work stops.

        Raises:
            GenerationFailed: the server failed or went away.
        """
        body = completion_body(prompt, sampling, max_new_tokens, with_probabilities)
        if sampling.pattern is not None:
            try:
                body["grammar"] = await asyncio.to_thread(grammar_of, sampling.pattern)  # may take its time
            except NoGrammar:
                raise GenerationFailed("") from None  # TGI's server has no words for it either
        try:
            async with self.session.post("/completion", json=body) as response:
                try:
                    if response.status != 200:
                        raise GenerationFailed(_error_text(await response.json(content_type=None)))
                    async for line in response.content:
                        if line.startswith((b"data: ", b"error: ")):
                            yield _frame(line.partition(b": ")[2])
                finally:
                    response.close()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise GenerationFailed(f"llama.cpp's server went away ({type(error).__name__})") from error

    async def healthy(self) -> bool:
        """Whether the server answers and has its model."""
        try:
            async with self.session.get(
                "/health", timeout=aiohttp.ClientTimeout(_PROBE_TIMEOUT_S)
            ) as response:
                return response.status == 200
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False

    async def slots(self) -> tuple[int, int] | None:
        """Requests that llama.cpp works on, and that wait inside it; None when it does not say in time."""
        try:
            async with self.session.get(
                "/metrics", timeout=aiohttp.ClientTimeout(_PROBE_TIMEOUT_S)
            ) as response:
                lines = (await response.text()).splitlines()
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None
        values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("llamacpp:"))
        names = ("llamacpp:requests_processing", "llamacpp:requests_deferred")
        return (
            (int(values[names[0]]), int(values[names[1]])) if all(name in values for name in names) else None
        )

    async def _post(self, path: str, body: Mapping[str, object]) -> tuple[int, dict[str, Any]]:
        try:
            async with self.session.post(path, json=body) as response:
                return response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise GenerationFailed(f"llama.cpp's server went away ({type(error).__name__})") from error


def completion_body(
    prompt: Sequence[int], sampling: Sampling, max_new_tokens: int, with_probabilities: bool
) -> dict[str, object]:
    """llama.cpp's body for TGI's parameters, but for the grammar.

    The samplers come in TGI's order; what TGI does not have (min_p, …) is off. Stop sequences stay with the
    façade, because llama.cpp would cut them off. TGI divides the frequency penalty by the length of the text
    so far, llama.cpp does not: it gets the quotient at the start. Log-probabilities are those of the
    distribution that the token was drawn from; of the plain model when greedy.
    """
    body: dict[str, object] = {
        "prompt": list(prompt),
        "n_predict": max_new_tokens + SLACK_TOKENS,
        "stream": True,
        "return_tokens": True,
        # a frame for each batch of the prompt: llama.cpp notices a client that has gone when it writes to it
        "return_progress": True,
        "response_fields": ["stop", "stop_type", "tokens_predicted"],
        # a repeated seed must give the same text, and a reused prefix changes the last digits of the logits
        "cache_prompt": not (sampling.sample and sampling.seed_is_given),
        "samplers": ["penalties", "temperature"],
        "temperature": 0.0,
        "repeat_penalty": _tame(sampling.repetition_penalty),
        "repeat_last_n": len(prompt) + max_new_tokens,
        "frequency_penalty": sampling.frequency_penalty / len(prompt),
        "presence_penalty": 0.0,
        "min_p": 0.0,
    }
    if sampling.sample:
        body |= {
            "samplers": ["penalties", "temperature", "top_k", "top_p", "typ_p"],
            "temperature": _tame(sampling.temperature),
            "top_k": sampling.top_k,
            "top_p": max(sampling.top_p, _SMALLEST),
            "typical_p": max(sampling.typical_p, _SMALLEST),
            "seed": sampling.seed % _RANDOM_SEED,
        }
    if with_probabilities:
        body |= {"n_probs": max(1, sampling.top_n_tokens), "post_sampling_probs": sampling.sample}
    return body


def _tame(factor: float) -> float:
    """A factor that leaves logits finite; beyond these bounds nothing would change but that."""
    return min(max(factor, _SMALLEST), 1 / _SMALLEST)


def _frame(data: bytes) -> dict[str, Any]:
    frame: dict[str, Any] = orjson.loads(data)
    if "error" in frame or "message" in frame:
        raise GenerationFailed(_error_text(frame))
    return frame


def _error_text(answer: dict[str, Any]) -> str:
    error = answer.get("error", answer)
    return str(error.get("message", error) if isinstance(error, dict) else error)


def _piece_bytes(piece: str | list[int]) -> bytes:
    """llama.cpp writes a piece that is not valid UTF-8 as an array of bytes."""
    return piece.encode() if isinstance(piece, str) else bytes(piece)
