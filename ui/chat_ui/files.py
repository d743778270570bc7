"""The text of a file that a person attaches: a bounded upload, read by a process of its own
(`extraction.py`).

Nothing of it stays here: the page keeps the text, as it keeps the conversation. Few are read at a time, since
each takes a processor and memory.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import ClientDisconnect, Request

FILES_ROUTE = "/files"
# as nginx has it (nginx/routes)
FILE_BYTES = 10 * 2**20
NAME_CHARS = 255
NAME_HEADER = "X-File-Name"
AT_A_TIME = 2
WAITING = 6
# together less than nginx waits (nginx/snippets/page_question.conf)
PLACE_SECONDS = 6.0
WAIT_SECONDS = 20.0
PACKAGES = Path(__file__).parents[1]


class TooManyFiles(Exception):
    """As many files are being read, or wait for it, as a replica takes."""


class Files:
    """Reads files, a few at a time."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._coming = 0

    async def text_of(self, request: Request) -> dict[str, Any]:
        """What is said of the file that a request brings: `text` and `cut`, or the reason of an `error`.

        Raises:
            TooManyFiles: it has to come again.
        """
        if self._coming >= AT_A_TIME + WAITING:
            raise TooManyFiles
        self._coming += 1
        try:
            await self._place()
            try:
                content = await _content(request)
                if content is None:
                    return {"error": "too_large"}
                return await _extract(unquote(request.headers.get(NAME_HEADER, ""))[:NAME_CHARS], content)
            finally:
                self._places.release()
        finally:
            self._coming -= 1

    async def _place(self) -> None:
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise TooManyFiles from None


async def _content(request: Request) -> bytes | None:
    """The whole file; None when it is larger than it may be."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > FILE_BYTES:
                return None
            parts.append(part)
    except ClientDisconnect:
        return b""
    return b"".join(parts)


async def _extract(name: str, content: bytes) -> dict[str, Any]:
    # where this package is found, and nothing of the service's own settings
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(PACKAGES)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "chat_ui.extraction", name.replace("\0", "") or "file"),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            said, _ = await process.communicate(content)
    except TimeoutError:
        return {"error": "too_much"}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return {"error": "too_much"}
    found: dict[str, Any] = orjson.loads(said)
    return found
