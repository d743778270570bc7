"""The engine's client: TGI's HTTP contract over one shared aiohttp session.

In the appliance nginx stands between, balances over engines and adds refusals of its own (limits, budgets, an
engine that is away). The client knows nothing of conversations or pages. Every failure comes out as one of
`errors.EngineError`'s kinds, whichever way it went in: a refused connection, an HTTP status, or an error
event inside a 200 stream.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from chat_ui.caller import NOBODY, Caller
from chat_ui.errors import (
    BudgetSpent,
    EngineBusy,
    EngineError,
    EngineUnavailable,
    GenerationFailed,
    RateLimited,
    RequestRejected,
    StreamCut,
    TooManyRunning,
)

CONNECT_SECONDS = 3.0
# why: TGI sends a comment every 15 s on an idle stream, so a minute of silence means a dead peer
SILENCE_SECONDS = 60.0
SHORT_CALL_SECONDS = 30.0
# why: the final event of a stream repeats the whole answer on one line, and aiohttp refuses lines over its
# buffer
LINE_BYTES = 2**21

_KIND_BY_NAME: dict[str, type[EngineError]] = {
    "rate_limited": RateLimited,
    "too_many_running": TooManyRunning,
    "budget_spent": BudgetSpent,
    "unavailable": EngineUnavailable,
    "overloaded": EngineBusy,
    "validation": RequestRejected,
    "template_error": RequestRejected,
    "healthcheck": EngineUnavailable,
    "incomplete_generation": StreamCut,
    "incomplete_generation_stream": StreamCut,
}
_KIND_BY_STATUS: dict[int, type[EngineError]] = {
    413: RequestRejected,
    422: RequestRejected,
    429: EngineBusy,
    502: EngineUnavailable,
    503: EngineUnavailable,
    504: EngineUnavailable,
}


@dataclass(frozen=True)
class EngineInfo:
    """What `/info` says that matters here; the limits are in tokens."""

    model_id: str
    max_input_tokens: int
    max_total_tokens: int


@dataclass(frozen=True)
class Prompt:
    """A conversation in the model's own chat format, and its length in the model's tokens."""

    text: str
    tokens: int


@dataclass
class Ending:
    """How a stream ended; filled in when its final event arrives."""

    finish_reason: str = ""
    generated_tokens: int = 0


@dataclass
class EngineClient:
    """One per process. Use as an async context manager; the session is closed at its exit.

    `proof_file` holds what nginx knows the page by; None where it is the engine itself that is asked.
    Each call names the caller on whose behalf it is made, by whom nginx limits and counts; without one it is
    the service's own.
    """

    base_url: str
    proof_file: Path | None = None
    _session: aiohttp.ClientSession | None = field(default=None, init=False)

    async def __aenter__(self) -> EngineClient:
        self._session = aiohttp.ClientSession(
            # why: another nginx (an upgrade, a restart) has another address, and is to be found at once
            connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
            read_bufsize=LINE_BYTES,
            trust_env=False,  # no proxy
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The shared session.

        Raises:
            RuntimeError: the client is used outside its `async with`.
        """
        if self._session is None:
            raise RuntimeError("EngineClient is used outside its `async with` block")
        return self._session

    async def check_health(self, timeout: float) -> None:
        """Return when `/health` says 200 within `timeout` seconds.

        Raises:
            EngineError: nothing answers, or it (or nginx for it) says that it is not well, with the reason.
        """
        try:
            async with self.session.get(
                f"{self.base_url}/health",
                headers=self._headers(NOBODY),
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                await _raise_for_status(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineUnavailable(_reason(error)) from error

    async def info(self, caller: Caller = NOBODY) -> EngineInfo:
        """The engine's model and limits, asked anew each time: another engine may have started meanwhile."""
        body = await self._call("GET", "/info", caller)
        try:
            return EngineInfo(
                str(body["model_id"]), int(body["max_input_tokens"]), int(body["max_total_tokens"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GenerationFailed("/info does not have TGI's shape") from error

    async def chat_prompt(self, messages: Sequence[dict[str, str]], caller: Caller = NOBODY) -> Prompt:
        """Put messages into the model's chat format and count their tokens, both done by the engine."""
        body = await self._call("POST", "/chat_tokenize", caller, {"messages": list(messages)})
        try:
            return Prompt(str(body["templated_text"]), len(body["tokenize_response"]))
        except (KeyError, TypeError) as error:
            raise GenerationFailed("/chat_tokenize does not have TGI's shape") from error

    async def generate(
        self, prompt: str, parameters: dict[str, Any], ending: Ending, caller: Caller = NOBODY
    ) -> AsyncGenerator[str, None]:
        """Stream the answer's text; fills `ending` when the engine says how it ended.

        Closing the generator closes the connection, upon which the engine stops generating.
        """
        body = orjson.dumps({"inputs": prompt, "parameters": parameters})
        try:
            async with self.session.post(
                f"{self.base_url}/generate_stream", data=body, headers=self._headers(caller)
            ) as response:
                await _raise_for_status(response)
                async for line in response.content:
                    if not line.startswith(b"data:"):
                        continue
                    event = _event(line[5:])
                    token = event.get("token") or {}
                    if token.get("text") and not token.get("special"):
                        yield token["text"]
                    if event.get("generated_text") is not None or event.get("details"):
                        details = event.get("details") or {}
                        ending.finish_reason = details.get("finish_reason") or "eos_token"
                        ending.generated_tokens = int(details.get("generated_tokens") or 0)
                        return
        except aiohttp.ClientConnectorError as error:
            raise EngineUnavailable(_reason(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise StreamCut(_reason(error)) from error
        raise StreamCut("the connection was closed before the final event")

    def _headers(self, caller: Caller) -> dict[str, str]:
        """Read anew each time: nginx makes the file when it starts, which may be after this service."""
        try:
            proof = {"X-Appliance-Proof": self.proof_file.read_text()} if self.proof_file else {}
        except FileNotFoundError:
            proof = {}
        return {"Content-Type": "application/json", **caller.headers(), **proof}

    async def _call(self, method: str, path: str, caller: Caller, body: dict[str, Any] | None = None) -> Any:
        """A short JSON call. Raises the `EngineError` that fits the failure."""
        try:
            async with self.session.request(
                method,
                self.base_url + path,
                data=None if body is None else orjson.dumps(body),
                headers=self._headers(caller),
                timeout=aiohttp.ClientTimeout(total=SHORT_CALL_SECONDS, sock_connect=CONNECT_SECONDS),
            ) as response:
                await _raise_for_status(response)
                return orjson.loads(await response.read())
        except orjson.JSONDecodeError as error:
            raise GenerationFailed(f"{path} did not answer with JSON") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineUnavailable(_reason(error)) from error


def _event(data: bytes) -> dict[str, Any]:
    """One event of the stream. Raises when it carries an error, ValueError when it is not an object."""
    event = orjson.loads(data)
    if not isinstance(event, dict):
        raise ValueError(f"not an event: {data[:80]!r}")
    if "error" in event:
        raise _error(0, event)
    return event


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status == 200:
        return
    raw = await response.read()
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        body = {"error": raw[:300].decode(errors="replace")}
    raise _error(response.status, body, _seconds(response.headers.get("Retry-After")))


def _seconds(retry_after: str | None) -> int | None:
    """The header's seconds; its other form, a date, is one that neither nginx nor TGI sends."""
    return int(retry_after) if retry_after and re.fullmatch("[0-9]{1,7}", retry_after) else None


def _error(status: int, body: dict[str, Any], retry_after: int | None = None) -> EngineError:
    message = str(body.get("error") or f"HTTP {status}")
    # nginx's own refusals have a code, TGI's errors a type
    named = str(body.get("code") or body.get("error_type"))
    kind = _KIND_BY_NAME.get(named) or _KIND_BY_STATUS.get(status, GenerationFailed)
    return kind(message, retry_after)


def _reason(error: BaseException) -> str:
    """A connection failure in a few words: never empty, as some exceptions' own text is."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
