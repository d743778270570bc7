"""What the whole appliance is doing now: the model's preparation, the engine's health, the page's replicas.

One `StatusService` per replica answers every page and the operator's command from one probe a second, however
many ask. It decides the overall state; words and HTTP are others' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp
import orjson

from chat_ui.engine import EngineClient, EngineInfo
from chat_ui.errors import EngineError

CACHE_SECONDS = 1.0
# why: a busy engine answers /health late, because generation blocks it; so it may take its time as long as it
# answered recently, and the page does not flap between "ready" and "loading"
PROBE_SECONDS = 10.0
WAIT_FOR_PROBE_SECONDS = 1.0
RECENT_SECONDS = 15.0
REPLICA_SECONDS = 1.0
STATUS_FILE_BYTES = 1_000_000

log = logging.getLogger(__name__)

_MODEL_STAGES = ("starting", "downloading", "verifying", "failed")
_MESSAGES = {
    "starting": "The model is being prepared",
    "downloading": "The model is being downloaded",
    "verifying": "The model's files are being verified",
    "loading": "The engine is loading the model",
    "restarting": "The engine stopped answering and is restarting",
    "gone": "The engine is not running",
    "ready": "Ready",
    "failed": "The model could not be prepared",
}


# `loading` until the engine has answered for the first time, `restarting` when it answers no more, `gone`
# when not even a container of it runs
Phase = Literal["ready", "loading", "restarting", "gone"]


@dataclass(frozen=True)
class EngineHealth:
    """The engine as last seen; `detail` says why it is not ready."""

    phase: Phase
    info: EngineInfo | None = None
    detail: str | None = None

    @property
    def healthy(self) -> bool:
        return self.phase == "ready"

    def as_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "phase": self.phase,
            "model_id": self.info.model_id if self.info else None,
            "max_input_tokens": self.info.max_input_tokens if self.info else None,
            "max_total_tokens": self.info.max_total_tokens if self.info else None,
            "detail": self.detail,
        }


def overall_state(model: dict[str, Any] | None, engine: EngineHealth) -> str:
    """One of starting, downloading, verifying, loading, ready, failed.

    The model's stage counts until it is ready, then the engine's health. An engine that answers while no
    stage is known (a volume prepared by hand) is ready all the same.
    """
    stage = (model or {}).get("stage")
    if stage in _MODEL_STAGES:
        return str(stage)
    if engine.healthy:
        return "ready"
    return "loading" if stage == "ready" else "starting"


def summary(state: str, model: dict[str, Any] | None, engine: EngineHealth) -> str:
    """One English line on the state, with model-init's own words where it has some."""
    error = (model or {}).get("error")
    if state == "failed" and isinstance(error, dict) and error.get("message"):
        return str(error["message"])
    if state in _MODEL_STAGES:
        said = (model or {}).get("waiting") or (model or {}).get("message")
        if said:
            return str(said)
    return _MESSAGES[engine.phase if state == "loading" else state]


def read_model_status(models_dir: Path) -> dict[str, Any] | None:
    """model-init's status.json as it is; None when there is none (yet), or none that can be read."""
    try:
        with (models_dir / "status.json").open("rb") as file:
            content = orjson.loads(file.read(STATUS_FILE_BYTES))
    except (OSError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


@dataclass
class StatusService:
    """Answers `current()` from a cache of one second, filled by one caller while the others wait for it.

    What fails in a way that nobody foresaw is logged, counts as not healthy, and is asked again next time.

    Attributes:
        host_name, port: where the page's replicas are found.
        engine_host_name: has an address as long as an engine's container runs.
        version: the appliance's, told to whoever asks.
    """

    engine: EngineClient
    models_dir: Path
    host_name: str
    port: int
    engine_host_name: str
    version: str
    clock: Callable[[], float] = time.monotonic
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _cached: dict[str, Any] | None = field(default=None, init=False)
    _cached_at: float = field(default=float("-inf"), init=False)
    _probe: asyncio.Task[EngineHealth] | None = field(default=None, init=False)
    _seen: EngineHealth = field(default=EngineHealth("loading", detail="not asked yet"), init=False)
    _healthy_at: float = field(default=float("-inf"), init=False)

    async def current(self) -> dict[str, Any]:
        """The status document, at most a second old."""
        async with self._lock:
            if self._cached is None or self.clock() - self._cached_at >= CACHE_SECONDS:
                self._cached = await self._collect()
                self._cached_at = self.clock()
            return self._cached

    async def close(self) -> None:
        """Give up a probe that is still waiting for its answer."""
        if self._probe is not None:
            self._probe.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probe

    async def _collect(self) -> dict[str, Any]:
        engine, (replicas, healthy) = await asyncio.gather(self._engine_health(), self._replicas())
        model = read_model_status(self.models_dir)
        state = overall_state(model, engine)
        return {
            "version": self.version,
            "state": state,
            "message": summary(state, model, engine),
            "model": model,
            "engine": engine.as_dict(),
            "ui": {"replicas": replicas, "healthy": healthy},
        }

    async def _engine_health(self) -> EngineHealth:
        if self._probe is None:
            self._probe = asyncio.create_task(self._probe_engine())
        await asyncio.wait({self._probe}, timeout=WAIT_FOR_PROBE_SECONDS)
        if self._probe.done():
            probe, self._probe = self._probe, None
            self._seen = probe.result()
            if self._seen.healthy:
                self._healthy_at = self.clock()
        elif self._seen.healthy and self.clock() - self._healthy_at > RECENT_SECONDS:
            self._seen = EngineHealth("restarting", detail="the engine does not answer in time")
        return self._seen

    async def _probe_engine(self) -> EngineHealth:
        try:
            await self.engine.check_health(PROBE_SECONDS)
            return EngineHealth("ready", await self.engine.info())
        except EngineError as error:
            detail = str(error)
        except Exception as error:
            log.exception("the engine could not be asked for its health")
            detail = f"{type(error).__name__}: {error}"
        return EngineHealth(await self._absence(), detail=detail)

    async def _absence(self) -> Phase:
        if not await addresses(self.engine_host_name):
            return "gone"
        return "loading" if self._healthy_at == float("-inf") else "restarting"

    async def _replicas(self) -> tuple[int, int]:
        """How many replicas the name has, and how many of them answer; (1, 1) when the name is not known."""
        found = await addresses(self.host_name)
        if not found:
            return 1, 1
        answers: list[Awaitable[bool]] = [self._answers(address) for address in found]
        return len(found), sum(await asyncio.gather(*answers))

    async def _answers(self, address: str) -> bool:
        try:
            async with self.engine.session.get(
                f"http://{address}:{self.port}/healthz", timeout=aiohttp.ClientTimeout(total=REPLICA_SECONDS)
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        except Exception:
            log.exception("the replica at %s could not be asked", address)
            return False


async def addresses(host_name: str) -> list[str]:
    """The IPv4 addresses of a name; none when nobody knows it."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host_name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(entry[4][0]) for entry in found})
