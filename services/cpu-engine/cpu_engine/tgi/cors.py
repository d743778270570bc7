"""What TGI's router puts around every route: CORS headers on every answer, preflights, and the API key.

Owns the order of the two: a preflight needs no key, and a refusal for want of one has the headers too.
"""

import hmac
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_VARY = "origin, access-control-request-method, access-control-request-headers"
_PREFLIGHT = {"access-control-allow-methods": "GET,POST", "access-control-allow-headers": "content-type"}


class CrossOrigin:
    """ASGI middleware: any page may read every answer.

    Args:
        app: what is asked unless it is a preflight.
        posts: paths that take POST, for `allow` in a preflight's answer.
    """

    def __init__(self, app: ASGIApp, posts: Collection[str]) -> None:
        self._app = app
        self._posts = posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                headers["vary"] = _VARY
                headers["access-control-allow-origin"] = "*"
            await send(message)

        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            allow = {"allow": "POST" if scope["path"] in self._posts else "GET,HEAD"}
            await Response(headers=_PREFLIGHT | allow)(scope, receive, send_readable)
        else:
            await self._app(scope, receive, send_readable)


class Keyed:
    """ASGI middleware: with --api-key, an empty 401 for requests to `paths` without it.

    TGI compares in lower case, scheme and all.
    """

    def __init__(self, app: ASGIApp, key: str, paths: Collection[str]) -> None:
        self._app = app
        self._expected = f"Bearer {key}".lower().encode()
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths:
            found = Headers(scope=scope).get("authorization", "").lower().encode()
            if not hmac.compare_digest(found, self._expected):
                await Response(status_code=401)(scope, receive, send)
                return
        await self._app(scope, receive, send)
