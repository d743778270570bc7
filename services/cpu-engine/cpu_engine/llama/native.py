"""Owns the child process that runs llama.cpp's server (`server`): start, death, stop.

A process of its own, so that an abort in C++ costs running requests a clean 424 and the container a restart,
instead of cutting every connection.
"""

import asyncio
import json
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cpu_engine.errors import NativeServerError

_STOP_TIMEOUT_S = 5.0
_QUIET_THREADS = {"OMP_WAIT_POLICY": "passive"}
"""llama.cpp's threads wait for each other after every operation, by default spinning. On a host whose cores
have other work too they then spin for a thread that is not running: below 5 tokens a second instead of 45."""
_CONTEXT_STEP = 256  # llama.cpp rounds the context of a slot up to this


@dataclass(frozen=True, slots=True)
class NativeSettings:
    """What llama.cpp is started with; `slot_tokens` is the context of each of the `parallel` slots."""

    model_path: str
    parallel: int
    slot_tokens: int
    threads: int
    api_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @classmethod
    def for_model(cls, path: Path, parallel: int, total_tokens: int, threads: int) -> "NativeSettings":
        """Settings under which every slot can hold a request of `total_tokens`."""
        slot_tokens = -(-total_tokens // _CONTEXT_STEP) * _CONTEXT_STEP
        return cls(str(path), parallel, slot_tokens, threads)


class NativeServer:
    """A running llama.cpp server.

    Attributes:
        address: base URL of its HTTP server.
        api_key: the key that it asks for.
    """

    def __init__(self, process: Process, address: str, api_key: str) -> None:
        self._process = process
        self.address = address
        self.api_key = api_key

    @classmethod
    async def start(cls, settings: NativeSettings) -> "NativeServer":
        """Start the child and wait, however long it takes, until its model is loaded.

        Raises:
            NativeServerError: it ended instead; what llama.cpp said is on standard error.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cpu_engine.llama.server"),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
            env=_QUIET_THREADS | os.environ,
        )
        try:
            address = await _handshake(process, settings)
        except BaseException:
            await _end(process)
            raise
        return cls(process, address, settings.api_key)

    async def wait(self) -> int:
        """Wait for the child's end; its exit code."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End the child."""
        await _end(self._process)


async def _handshake(process: Process, settings: NativeSettings) -> str:
    if process.stdin is None or process.stdout is None:
        raise NativeServerError("llama.cpp's server was started without pipes")
    process.stdin.write(json.dumps(asdict(settings)).encode() + b"\n")
    answer = await process.stdout.readline()
    if not answer:
        code = await process.wait()
        raise NativeServerError(
            f"llama.cpp: expected it to load {settings.model_path}, found that it ended with code {code}, "
            "see the lines above (a damaged file, or too little memory for the model and its context)"
        )
    return str(json.loads(answer)["address"])


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
