"""What every route shares: reading the body as axum does, noticing that a client has gone, error answers."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive

from cpu_engine.tgi.errors import BodyError, TgiError

T = TypeVar("T")
_LONG_BODY = 1_000
"""Bytes that are read in a few milliseconds, whatever they are."""


async def read_json(request: Request, payload_limit: int, read: Callable[[bytes], T]) -> T:
    """What `read` makes of the request's body, which says that it is JSON. A long one is read in a thread.

    Raises:
        BodyError: 415, 413, 400 or 422, in axum's order.
        ClientDisconnect: the client left before it had sent everything.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise BodyError(415, "Expected request with `Content-Type: application/json`")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > payload_limit:
            raise BodyError(413, "Failed to buffer the request body: length limit exceeded")
    if len(body) < _LONG_BODY:
        return read(bytes(body))
    return await asyncio.to_thread(read, bytes(body))  # everybody's tokens come meanwhile


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has closed the connection; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, cancelling it when the client goes away.

    Raises:
        ClientDisconnect: the client has gone; nobody will read an answer.
    """
    task = asyncio.create_task(work)
    watcher = asyncio.create_task(wait_for_disconnect(request.receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def on_tgi_error(_: Request, error: Exception) -> Response:
    """TGI's JSON answer."""
    if not isinstance(error, TgiError):
        raise error
    return JSONResponse(error.body(), error.status)


async def on_body_error(_: Request, error: Exception) -> Response:
    """axum's plain-text answer."""
    if not isinstance(error, BodyError):
        raise error
    return PlainTextResponse(str(error), error.status)


async def on_disconnect(_: Request, __: Exception) -> Response:
    """Nobody reads this; it ends the ASGI exchange."""
    return Response(status_code=499)


async def on_http_error(_: Request, error: Exception) -> Response:
    """404 and 405 have an empty body; `allow` is written without blanks."""
    headers = getattr(error, "headers", None) or {}
    if "Allow" in headers:
        headers = {"allow": ",".join(sorted(method.strip() for method in headers["Allow"].split(",")))}
    return Response(status_code=getattr(error, "status_code", 500), headers=headers)
