"""What every route shares: reading the body, noticing that a client has gone, errors as answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from openai_api.checks import Json
from openai_api.errors import ApiError, BadRequest, BodyTooLarge, NotFound

MOST_BYTES = 2_000_000
"""TGI's own default of --payload-limit."""
LONG_BYTES = 20_000
"""A body that is read and translated in some hundredths of a second, whatever is in it: what schemas and
patterns take is counted, and has a bound. A usual one takes less than a millisecond.
"""

T = TypeVar("T")
log = logging.getLogger(__name__)


async def read(request: Request, translate: Callable[[Json], T]) -> T:
    """What `translate` makes of the JSON object that the body is. A long one is read in a thread.

    Raises:
        BodyTooLarge, BadRequest: it is none that can be taken.
        ClientDisconnect: the client left before it had sent everything.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise BadRequest(
            "Send the request with the header 'Content-Type: application/json'.", code="invalid_content_type"
        )
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= MOST_BYTES:  # what is too large is read to its end, or the answer would not be seen
            body += chunk
    if len(body) > MOST_BYTES:
        raise BodyTooLarge(f"The request has more than {MOST_BYTES} bytes. Shorten it.")
    if len(body) < LONG_BYTES:
        return translate(parsed(body))
    # everybody's tokens come meanwhile
    return await asyncio.to_thread(lambda: translate(parsed(body)))


def parsed(body: bytes | bytearray) -> Json:
    """The same of the bytes.

    Raises:
        BadRequest: they are not JSON, or not an object.
    """
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body of the request is not JSON: {error}.", code="invalid_json") from None
    if not isinstance(found, dict):
        raise BadRequest("The body of the request is not a JSON object.", code="invalid_json")
    return found


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, cancelling it when the client goes away; the body must have been read.

    Raises:
        ClientDisconnect: the client has gone; nobody will read an answer.
    """
    task = asyncio.create_task(work)
    watcher = asyncio.create_task(_disconnect(receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def on_api_error(_: Request, error: Exception) -> Response:
    """OpenAI's JSON answer."""
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse(error.body(), error.status, error.headers())


async def on_disconnect(_: Request, __: Exception) -> Response:
    """Nobody reads this; it ends the ASGI exchange."""
    return Response(status_code=499)


async def on_http_error(request: Request, error: Exception) -> Response:
    """A route or a method that is not here."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        refused = NotFound(f"{request.method} is not for this route.", code="method_not_allowed")
        return JSONResponse(refused.body(), 405, error.headers)
    missing = NotFound("No such route: /v1 serves chat/completions, completions and models.")
    return JSONResponse(missing.body(), missing.status)


async def on_crash(_: Request, __: Exception) -> Response:
    """A fault of this service; the server logs where."""
    return JSONResponse(
        {
            "error": {
                "message": "This service failed.",
                "type": "server_error",
                "param": None,
                "code": "fault",
            }
        },
        500,
    )
