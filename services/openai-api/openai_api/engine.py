"""The engine's client: TGI's HTTP contract over one shared session. In the appliance nginx stands between,
balances over engines and knows by the proof who asks.

Every failure comes out as an `ApiError`. Leaving an answer's `async with` early closes its connection, upon
which the engine stops working on it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from openai_api import engine_errors
from openai_api.errors import BadRequest, EngineFailed, EngineUnavailable

CONNECT_SECONDS = 3.0
SHORT_CALL_SECONDS = 30.0
# why: the chat replicas wait 10 s for the answer that this one becomes
HEALTH_SECONDS = 8.0
# why: TGI sends a comment every 15 s on an idle stream, so a minute of silence means a dead peer
SILENCE_SECONDS = 60.0
PASSED_ON = ("X-Request-ID", "X-Account", "X-Conversation-ID")
"""Headers by which nginx knows on whose behalf the engine is asked."""

log = logging.getLogger(__name__)


@dataclass
class Engine:
    """One per process. Use as an async context manager; the session is closed at its exit."""

    base_url: str
    proof_file: Path | None = None
    _session: aiohttp.ClientSession | None = field(default=None, init=False)

    async def __aenter__(self) -> Engine:
        self._session = aiohttp.ClientSession(
            # why: another nginx (an upgrade, a restart) has another address, and is to be found at once
            connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
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
            RuntimeError: the engine is used outside its `async with`.
        """
        if self._session is None:
            raise RuntimeError("Engine is used outside its `async with` block")
        return self._session

    @asynccontextmanager
    async def asked(
        self, path: str, body: Mapping[str, Any], caller: Mapping[str, str], silence: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The engine's answer to a POST, once its headers are here; `silence` seconds without a byte are too
        many.

        Raises:
            ApiError: it refuses, fails, or cannot be reached.
        """
        try:
            async with self.session.post(
                self.base_url + path,
                data=_encoded(body),
                headers=self._headers(caller),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence),
            ) as response:
                if response.status != 200:
                    raise engine_errors.of_answer(
                        response.status, await response.read(), response.headers.get("Retry-After"), body
                    )
                yield response
        except aiohttp.ClientConnectorError as error:
            log.warning("the engine cannot be reached", exc_info=error)
            raise EngineUnavailable(
                "The engine cannot be reached. Try again in a few seconds.", retry_after="5"
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the engine broke off", exc_info=error)
            raise EngineFailed(
                "The engine broke off its answer. Try again.", code="engine_broke_off"
            ) from error

    async def answer(self, path: str, body: Mapping[str, Any], caller: Mapping[str, str]) -> Any:
        """The JSON of a short answer.

        Raises:
            ApiError: as `asked`.
        """
        async with self.asked(path, body, caller, SHORT_CALL_SECONDS) as response:
            return _decoded(await response.read())

    async def is_healthy(self) -> bool:
        """Whether an engine answers its health route with 200 now, through whoever stands between."""
        try:
            async with self.session.get(
                self.base_url + "/health",
                headers=self._headers({}),
                timeout=aiohttp.ClientTimeout(total=HEALTH_SECONDS, sock_connect=CONNECT_SECONDS),
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _headers(self, caller: Mapping[str, str]) -> dict[str, str]:
        """The proof is read anew each time: nginx makes the file, perhaps after this service has started."""
        headers = {"Content-Type": "application/json", **caller}
        try:
            if self.proof_file:
                headers["X-Appliance-Proof"] = self.proof_file.read_text()
        except OSError:
            pass
        return headers


def caller_of(headers: Mapping[str, str]) -> dict[str, str]:
    """What is passed on of a request's headers, as nginx wrote them."""
    found = {name: headers.get(name) for name in PASSED_ON}
    return {name: value for name, value in found.items() if value and re.fullmatch("[ -~]{1,512}", value)}


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:  # orjson reads deeper than it writes
        raise BadRequest("The request is nested too deeply.", code="invalid_json") from error


def _decoded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EngineFailed("The engine did not answer with JSON.") from error
