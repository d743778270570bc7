"""The ASGI application: the page at `/`, and beside it what nginx, the operator's command and health checks
ask.

It assembles; what the routes say is decided in `status.py`, `status_page.py`, `unavailable.py` and `page.py`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import gradio as gr
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from chat_ui import messages, page, status_page, unavailable, view_files
from chat_ui.admission import Admission
from chat_ui.answers import Answers
from chat_ui.caller import Caller
from chat_ui.chat import Chat, View
from chat_ui.drain import Drain, DrainWatch
from chat_ui.engine import EngineClient
from chat_ui.gradio_internals import HEARTBEAT_ROUTE, bytes_held
from chat_ui.history import History
from chat_ui.page_routes import PageRoutes
from chat_ui.readers import Readers
from chat_ui.settings import Settings
from chat_ui.status import StatusService

_NO_STORE = {"Cache-Control": "no-store"}


def create_app(settings: Settings) -> FastAPI:
    """The whole service; its engine session opens and closes with the application's lifespan.

    `app.state.drain` is the `Drain` to settle before the server stops listening.
    """
    engine = EngineClient(settings.engine_url, settings.proof_file)
    status = StatusService(
        engine,
        settings.models_dir,
        settings.host_name,
        settings.port,
        settings.engine_host_name,
        settings.version,
    )

    answers: Answers[View] = Answers(View.size)
    history = History(engine, settings.engine_host_name)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine:
            history.start()
            yield
            await answers.close()
            await history.close()
            await status.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    _add_routes(app, status, history)
    PageRoutes(engine, answers).add_to(app)
    readers = Readers()
    demo = page.build(Chat(engine, status.current), settings.secret, readers, answers)
    app.state.drain = Drain(demo, readers)
    app.add_middleware(Admission, held=partial(bytes_held, demo))
    app.add_middleware(DrainWatch, drain=app.state.drain)
    # the page itself, which Gradio sends as it is; it leaves out event streams and what is compressed
    app.add_middleware(GZipMiddleware)
    gr.mount_gradio_app(app, demo, path="/", server_port=settings.port, **page.mount_options())
    return app


def _add_routes(app: FastAPI, status: StatusService, history: History) -> None:
    async def show_status(request: Request) -> Response:
        document, headers = await status.current(), {**_NO_STORE, "Vary": "Accept, Accept-Language"}
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse(document, headers=headers)
        language = messages.language_of(request.headers.get("accept-language"))
        text = status_page.page(document, tuple(history.points), time.time(), language)
        return HTMLResponse(text, headers=headers)

    async def whoami(request: Request) -> Response:
        return JSONResponse({"user": Caller.from_headers(request.headers).user}, headers=_NO_STORE)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok", headers=_NO_STORE)

    async def not_found(_: Request) -> Response:
        return PlainTextResponse("not found", status_code=404)

    async def engine_unavailable(request: Request) -> Response:
        shape: unavailable.Shape = "tgi" if request.url.path.endswith("/tgi") else "openai"
        document = await status.current()
        headers = {**_NO_STORE, "Retry-After": str(unavailable.retry_after(document))}
        return JSONResponse(unavailable.body(shape, document), status_code=503, headers=headers)

    app.add_route("/status", show_status, methods=["GET"])
    app.add_route("/whoami", whoami, methods=["GET"])
    app.add_route("/healthz", healthz, methods=["GET"])
    app.add_route(view_files.ROUTE, view_files.serve, methods=["GET"])
    # why: the page opens no heartbeat, and one that a client held open would hold a replica that is to stop
    app.add_route(HEARTBEAT_ROUTE, not_found, methods=["GET"])
    for shape in ("openai", "tgi"):
        # any method: nginx comes here with the method of the request that failed
        app.add_route(f"/engine-unavailable/{shape}", engine_unavailable, methods=["GET", "POST", "HEAD"])
