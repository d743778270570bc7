"""A host that is made anew, and has another address then: what containers do."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

NAME = "moving.test"


async def is_found_where_it_is_now(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], Awaitable[object]]
) -> None:
    """`ask(base_url)` must succeed while the host is at its first address, and again right after it moved.

    The host answers `GET /health` with 200 on each connection once.
    """
    found = ["127.0.0.1"]
    resolve = socket.getaddrinfo

    def moved(host: Any, *given: Any, **more: Any) -> Any:
        return resolve(found[0] if host == NAME else host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", moved)
    first, port = await _serve("127.0.0.1", 0)
    await ask(f"http://{NAME}:{port}")
    await first.cleanup()
    found[0] = "127.0.0.2"
    second, _ = await _serve("127.0.0.2", port)
    await ask(f"http://{NAME}:{port}")
    await second.cleanup()


async def _serve(address: str, port: int) -> tuple[web.AppRunner, int]:
    async def health(_: web.Request) -> web.Response:
        return web.Response(headers={"Connection": "close"})

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    return runner, int(runner.addresses[0][1])
