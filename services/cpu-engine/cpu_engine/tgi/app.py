"""The ASGI application: routes, error handlers, and what TGI puts around them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from cpu_engine.tgi.chat import ChatRoutes
from cpu_engine.tgi.clouds import CloudRoutes
from cpu_engine.tgi.completions import CompletionRoutes
from cpu_engine.tgi.cors import CrossOrigin, Keyed
from cpu_engine.tgi.docs import DocumentRoutes
from cpu_engine.tgi.errors import BodyError, TgiError
from cpu_engine.tgi.generate import GenerateRoutes
from cpu_engine.tgi.http import on_body_error, on_disconnect, on_http_error, on_tgi_error
from cpu_engine.tgi.service import Service
from cpu_engine.tgi.status import StatusRoutes
from cpu_engine.tgi.tokens import TokenizeRoutes


def create_app(service: Service) -> Starlette:
    """Put the routes around `service`."""
    generate, chat, status = GenerateRoutes(service), ChatRoutes(service), StatusRoutes(service)
    completions, tokens, documents = CompletionRoutes(service), TokenizeRoutes(service), DocumentRoutes()
    clouds = CloudRoutes(service, generate, chat, completions)
    keyed = {
        "/": generate.compatible,
        "/generate": generate.generate,
        "/generate_stream": generate.generate_stream,
        "/v1/chat/completions": chat.completions,
        "/v1/completions": completions.completions,
        "/invocations": clouds.invocations,
        "/vertex": clouds.vertex,
        "/tokenize": tokens.tokenize,
    }
    posts = {**keyed, "/chat_tokenize": chat.tokenize}
    gets = {
        **dict.fromkeys(("/", "/health", "/ping"), status.health),
        "/info": status.info,
        "/v1/models": status.models,
        "/metrics": status.metrics,
        "/docs": documents.moved,
        "/docs/": documents.page,
        "/api-doc/openapi.json": documents.openapi,
    }
    middleware = [Middleware(CrossOrigin, posts=posts)]
    if service.settings.api_key:
        middleware.append(Middleware(Keyed, key=service.settings.api_key, paths=keyed))
    app = Starlette(
        routes=[
            *(Route(path, route, methods=["POST"]) for path, route in posts.items()),
            *(Route(path, route, methods=["GET"]) for path, route in gets.items()),
        ],
        middleware=middleware,
        exception_handlers={
            TgiError: on_tgi_error,
            BodyError: on_body_error,
            ClientDisconnect: on_disconnect,
            HTTPException: on_http_error,
        },
    )
    app.router.redirect_slashes = False
    return app
