"""The ASGI application: routes, error handlers, CORS as TGI has it."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from cpu_engine.tgi.chat import ChatRoutes
from cpu_engine.tgi.completions import CompletionRoutes
from cpu_engine.tgi.errors import BodyError, TgiError
from cpu_engine.tgi.generate import GenerateRoutes
from cpu_engine.tgi.http import on_body_error, on_disconnect, on_http_error, on_tgi_error
from cpu_engine.tgi.service import Service
from cpu_engine.tgi.status import StatusRoutes
from cpu_engine.tgi.tokens import TokenizeRoutes


def create_app(service: Service) -> Starlette:
    """Put the routes around `service`."""
    generate, chat, status = GenerateRoutes(service), ChatRoutes(service), StatusRoutes(service)
    completions, tokens = CompletionRoutes(service), TokenizeRoutes(service)
    post, get = ["POST"], ["GET"]
    return Starlette(
        routes=[
            Route("/", generate.compatible, methods=post),
            Route("/generate", generate.generate, methods=post),
            Route("/generate_stream", generate.generate_stream, methods=post),
            Route("/v1/chat/completions", chat.completions, methods=post),
            Route("/v1/completions", completions.completions, methods=post),
            Route("/tokenize", tokens.tokenize, methods=post),
            Route("/chat_tokenize", chat.tokenize, methods=post),
            *(Route(path, status.health, methods=get) for path in ("/", "/health", "/ping")),
            Route("/info", status.info, methods=get),
            Route("/v1/models", status.models, methods=get),
            Route("/metrics", status.metrics, methods=get),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "POST"],
                allow_headers=["content-type"],
            )
        ],
        exception_handlers={
            TgiError: on_tgi_error,
            BodyError: on_body_error,
            ClientDisconnect: on_disconnect,
            HTTPException: on_http_error,
        },
    )
