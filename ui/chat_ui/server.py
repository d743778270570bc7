"""Runs the application under uvicorn, so that SIGTERM lets running answers end.

Gradio's own `launch()` stops in mid-answer, and as PID 1 it ignores SIGTERM altogether.
"""

from __future__ import annotations

import signal

import uvicorn
from fastapi import FastAPI

from chat_ui.settings import Settings


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then take no new connections and return when the last answer has ended.

    Answers that take longer than `settings.drain_seconds` are cut.
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
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    uvicorn.Server(config).run()
