"""HTTP/1 as TGI's server speaks it where uvicorn would do otherwise: what is refused before it is a request,
and answers to HTTP/1.0. The routes know nothing of it.

A refusal is empty and closes the connection.
"""

import asyncio
from typing import Any

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADERS = 100


class Http(HttpToolsProtocol):
    """uvicorn's parser with a limit on the number of headers, and TGI's answers to what it refuses."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header.

        Raises:
            HttpParserError: it is one too many.
        """
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            raise httptools.HttpParserError("too many headers")

    def send_400_response(self, msg: str) -> None:
        """Refuse what has come. An answer that is still on its way is cut off, as by uvicorn."""
        too_many = self.headers is not None and len(self.headers) > MAX_HEADERS
        status = "431 Request Header Fields Too Large" if too_many else "400 Bad Request"
        answer = f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        self.transport.write(answer.encode())
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            cycle.waiting_for_100_continue = False  # a version without it
            app = _AnsweredAs10(app, cycle)
        super()._start_asgi_task(cycle, app)


class _AnsweredAs10:
    """ASGI middleware: an answer that says HTTP/1.0 and has no chunks; it ends where its connection does."""

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_whole(message: Message) -> None:
            if message["type"] == "http.response.start":
                transport = self._cycle.transport
                self._cycle.transport = _FirstLineAs10(transport)
                self._cycle.chunked_encoding = False
                try:
                    await send(message)
                finally:
                    self._cycle.transport = transport
            else:
                self._cycle.expected_content_length = len(message.get("body", b""))
                await send(message)

        await self._app(scope, receive, send_whole)


class _FirstLineAs10(asyncio.Transport):
    """Writes an answer's head with the older version in its first line."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport

    def write(self, data: Any) -> None:
        self._transport.write(data.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
