"""Has every engine prepare `json_object`'s grammar before somebody needs it, again after each restart.

Owns which engines there are (the addresses behind one name), what state each is in, and when waiting for
one has an end. An engine prepares a grammar once, so two of these services that ask the same do no harm.
How HTTP is spoken is `over`'s; whether an engine is healthy for everybody else is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from openai_api.json_grammar import ANY_JSON_OBJECT

PORT = 3000
POLL_SECONDS = 2.0
PATIENCE_SECONDS = 180.0
"""For one engine, from when it answers; after that it counts as warm."""
KEEP_SECONDS = 60.0
"""TGI keeps the 32 grammars that were used last: asked for so often, this one stays among them."""
HEALTH_SECONDS = 20.0
REQUEST: Mapping[str, Any] = {
    "inputs": "{",
    "parameters": {"max_new_tokens": 1, "grammar": {"type": "regex", "value": ANY_JSON_OBJECT}},
}

log = logging.getLogger(__name__)

Ask = Callable[[str, Mapping[str, Any] | None, float], Awaitable[int]]
"""POSTs JSON to a URL, or GETs it where there is none, within so many seconds; the answer's status.

Raises OSError: nobody answers; TimeoutError, which is one of those: not in time.
"""
Find = Callable[[], Awaitable[frozenset[str]]]
"""The base URLs of all engines there are. Raises OSError: it cannot be told."""


@dataclass
class Warmth:
    """What is known of the engines, by their URLs.

    Attributes:
        warming: those that answer and have not prepared the grammar, and since when.
        warm: those that have, or that nobody waits for any more, and when that was last made sure of.
    """

    warming: dict[str, float] = field(default_factory=dict)
    warm: dict[str, float] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """There is an engine that has; others may still be at it."""
        return bool(self.warm)

    def forget(self, engine: str) -> None:
        """It is gone, or starts again."""
        self.warming.pop(engine, None)
        self.warm.pop(engine, None)


async def warm(
    ask: Ask,
    warmth: Warmth,
    find: Find,
    poll: float = POLL_SECONDS,
    patience: float = PATIENCE_SECONDS,
    keep: float = KEEP_SECONDS,
) -> None:
    """Look after all engines until cancelled; `warmth` says how far it is."""
    visits: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            try:
                engines = await find()
            except OSError:
                engines = frozenset(visits)  # the name server's trouble, not the engines'
            for engine in (warmth.warm.keys() | warmth.warming.keys() | visits.keys()) - engines:
                warmth.forget(engine)
                if visit := visits.pop(engine, None):
                    visit.cancel()
            for engine in engines:
                if engine not in visits or visits[engine].done():
                    visits[engine] = asyncio.create_task(_visit(engine, ask, warmth, patience, keep))
            await asyncio.sleep(poll)
    finally:
        for visit in visits.values():
            visit.cancel()


async def _visit(engine: str, ask: Ask, warmth: Warmth, patience: float, keep: float) -> None:
    try:
        status = await ask(f"{engine}/health", None, HEALTH_SECONDS)
    except TimeoutError:
        return  # busy: what was true of it stays true
    except OSError:
        status = 503
    if status != 200:
        warmth.forget(engine)
    elif engine not in warmth.warm:
        await _warm_up(engine, ask, warmth, patience)
    elif time.monotonic() - warmth.warm[engine] >= keep:
        warmth.warm[engine] = time.monotonic()
        with suppress(OSError):  # what an engine's end means, its health says
            await ask(f"{engine}/generate", REQUEST, patience)


async def _warm_up(engine: str, ask: Ask, warmth: Warmth, patience: float) -> None:
    began = time.monotonic()
    since = warmth.warming.setdefault(engine, began)
    try:
        status = await ask(f"{engine}/generate", REQUEST, max(patience - (began - since), 0.001))
    except TimeoutError:
        status = 504
    except OSError:
        warmth.forget(engine)
        return
    took = time.monotonic() - began
    if status == 200:
        log.info("engine: json_object is prepared", extra={"engine": engine, "seconds": round(took, 1)})
    elif status == 422:
        log.warning("engine: takes no grammars, so json_object is not prepared", extra={"engine": engine})
    elif time.monotonic() - since >= patience:
        log.warning(
            "engine: json_object is not prepared, and not waited for any more: who asks for it first waits",
            extra={"engine": engine, "status": status},
        )
    else:
        return
    warmth.warm[engine] = time.monotonic()
    warmth.warming.pop(engine, None)


async def addresses(host: str, port: int = PORT) -> frozenset[str]:
    """The engines behind a name: Docker's name server has one address for each replica."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return frozenset(
        f"http://{f'[{address}]' if family == socket.AF_INET6 else address}:{port}"
        for family, _, _, _, (address, *_) in found
    )


def over(session: aiohttp.ClientSession) -> Ask:
    """`Ask` by HTTP."""

    async def ask(url: str, body: Mapping[str, Any] | None, seconds: float) -> int:
        method = "GET" if body is None else "POST"
        try:
            async with session.request(
                method, url, json=body, timeout=aiohttp.ClientTimeout(total=seconds)
            ) as response:
                await response.read()
                return response.status
        except aiohttp.ServerTimeoutError as error:
            raise TimeoutError from error
        except aiohttp.ClientError as error:
            raise ConnectionError(type(error).__name__) from error

    return ask
