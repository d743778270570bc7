"""The ASGI application: routes and error handlers around one engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from openai_api import docs, openapi
from openai_api.engine import Engine
from openai_api.errors import ApiError
from openai_api.http import on_api_error, on_crash, on_disconnect, on_http_error
from openai_api.routes import CHAT, COMPLETIONS, Routes
from openai_api.settings import Settings
from openai_api.warm import Find, Warmth, addresses, over, warm


def create_app(settings: Settings, find: Find | None = None) -> Starlette:
    """The whole service; its engine session opens and closes with the application's lifespan.

    `find` says which engines there are to warm; by their name where there is none.
    """
    engine = Engine(settings.engine_url, settings.proof_file)
    warmth = Warmth()
    find = find or partial(addresses, settings.engine_host_name)
    routes = Routes(engine, settings.model_id, settings.max_total_tokens)
    described = openapi.document(settings.version)

    async def health(_: Request) -> Response:
        # both: what is known of the engines is some seconds old
        if warmth.is_ready and await engine.is_healthy():
            return Response()  # as TGI's
        return JSONResponse({"status": "warming" if warmth.warming else "loading"}, 503)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def document(_: Request) -> Response:
        return JSONResponse(described)

    async def page(request: Request) -> Response:
        return HTMLResponse(docs.page(described, request.headers.get("accept-language", "")))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with engine:
            warming = asyncio.create_task(warm(over(engine.session), warmth, find))
            yield
            warming.cancel()
            with suppress(asyncio.CancelledError):
                await warming

    posts = {
        CHAT: routes.chat,
        COMPLETIONS: routes.completions,
        f"/count{CHAT}": routes.count_chat,
        f"/count{COMPLETIONS}": routes.count_completions,
    }
    gets = {
        "/v1/models": routes.models,
        "/v1/models/{id:path}": routes.model,
        "/health": health,
        "/healthz": healthz,
        "/openapi.json": document,
        "/docs": page,
    }
    app = Starlette(
        routes=[
            *(Route(path, route, methods=["POST"]) for path, route in posts.items()),
            *(Route(path, route, methods=["GET"]) for path, route in gets.items()),
        ],
        exception_handlers={
            ApiError: on_api_error,
            ClientDisconnect: on_disconnect,
            HTTPException: on_http_error,
            Exception: on_crash,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
