"""The chat page as a process of its own, and a client that does what the page's script does."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import aiohttp
from fastapi import FastAPI
from starlette.routing import Mount

from chat_ui.chat_settings import DEFAULTS
from chat_ui.gradio_internals import QUESTION_ROUTE, STREAM_ROUTE

START_SECONDS = 60.0
PACKAGE_ROOT = Path(__file__).parents[3] / "ui"


@dataclass
class Service:
    """A running replica."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def environment(**settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(PACKAGE_ROOT), "PYTHONDONTWRITEBYTECODE": "1", **settings}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def service(
    engine_url: str, models_dir: Path, log: IO[bytes] | None = None, /, **more: str
) -> AsyncIterator[Service]:
    """Start a replica and wait until it serves; killed at the end if it still runs. `more` variables; what it
    writes goes to `log`."""
    port = free_port()
    settings = environment(
        ENGINE_URL=engine_url, MODELS_DIR=str(models_dir), UI_PORT=str(port), UI_HOST_NAME="localhost", **more
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chat_ui", env=settings, stdout=log, stderr=log
    )
    try:
        made = Service(process, port)
        async with asyncio.timeout(START_SECONDS):
            while not await listens(port):
                assert process.returncode is None, f"chat_ui ended with {process.returncode} while starting"
                await asyncio.sleep(0.05)
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def event_of(config: dict[str, Any], kind: str) -> tuple[int, int]:
    """The function and the component of the page's `kind` event that asks the server."""
    return next(
        (dependency["id"], component)
        for dependency in config["dependencies"]
        for component, name in dependency["targets"]
        if name == kind and dependency["backend_fn"]
    )


async def ask(
    session: aiohttp.ClientSession,
    url: str,
    question: str,
    history: list[tuple[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    conversation: str = "",
) -> AsyncIterator[dict[str, Any]]:
    """Ask as the page does, after the `history` of roles and texts; yields Gradio's messages up to
    `process_completed`. `headers` are nginx's.
    """
    async with session.get(f"{url}/config") as response:
        function, component = event_of(await response.json(), "submit")
    session_hash = secrets.token_hex(6)
    body = {
        "data": [
            asking(question, history, conversation),
            *{**DEFAULTS, "system_prompt": "", "max_new_tokens": 40}.values(),
        ],
        "fn_index": function,
        "trigger_id": component,
        "session_hash": session_hash,
    }
    async with session.post(url + QUESTION_ROUTE, json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
    async with session.get(url + STREAM_ROUTE, params={"session_hash": session_hash}) as stream:
        async for line in stream.content:
            if line.startswith(b"data:"):
                message = json.loads(line[5:])
                yield message
                if message["msg"] in ("process_completed", "close_stream", "unexpected_error"):
                    return


def gradio_app_of(app: FastAPI) -> Any:
    (gradio_app,) = [cast(Any, route.app) for route in app.routes if isinstance(route, Mount)]
    return gradio_app


def asking(
    question: str, history: list[tuple[str, str]] | None = None, conversation: str = ""
) -> dict[str, Any]:
    """What the page's script sends of a conversation, see `ui/web/src/conversation.js`."""
    said = [*(history or []), ("user", question)]
    messages = [{"role": role, "text": text} for role, text in said]
    turn = secrets.token_hex(8)
    return {"conversation": conversation, "turn": turn, "kind": "typed", "messages": messages}


def answered(message: dict[str, Any]) -> str:
    """The answer in a `process_completed` message."""
    return str(message["output"]["data"][0]["text"])
