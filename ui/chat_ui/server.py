"""Runs the application under uvicorn, so that SIGTERM lets running answers end.

Gradio's own `launch()` stops in mid-answer, and as PID 1 it ignores SIGTERM altogether.
"""

from __future__ import annotations

import signal
import socket

import uvicorn
from fastapi import FastAPI

from chat_ui.drain import Drain
from chat_ui.settings import Settings


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then take no new connections and return when the last answer has ended.

    Idle connections are closed at once. Answers that take longer than `settings.drain_seconds` are cut.
    """
    # why: after its shutdown uvicorn restores the former handlers and raises the signal again, which would
    # make a clean stop look like a crash (exit code 143)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    config = uvicorn.Config(
        app,
        host="0.0.0.0",
        port=settings.port,
        loop="uvloop",
        access_log=False,
        log_level="warning",
        log_config=None,  # uvicorn's own lines go where all go: logs.py
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
        # why: nginx keeps idle connections for 60 s; one that this side closed first would lose a request
        timeout_keep_alive=75,
    )
    Server(config, app.state.drain).run()


class Server(uvicorn.Server):
    """Stops listening only once no page is between its question and the answer's stream."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._drain.settle()
        # its first steps, up to the closing of the door, run without a pause
        await super().shutdown(sockets)
