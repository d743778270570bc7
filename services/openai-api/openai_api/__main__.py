"""Entry point: `python -m openai_api`. Exit codes: 0 stopped on request, 2 bad settings."""

from __future__ import annotations

import os
import signal
import sys

import uvicorn

from openai_api import logs
from openai_api.app import create_app
from openai_api.errors import SettingsError
from openai_api.settings import Settings, from_environment


def main() -> int:
    """The exit code."""
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(settings.log_as_json)
    serve(settings)
    return 0


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then take no new connections and return when the last answer has ended.

    Answers that take longer than `settings.drain_seconds` are cut.
    """
    # why: after its shutdown uvicorn restores the former handlers and raises the signal again, which would
    # make a clean stop look like a crash (exit code 143)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host="0.0.0.0",
            port=settings.port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            # why: nginx keeps idle connections for 60 s; one that this side closed first would lose a request
            timeout_keep_alive=75,
            timeout_graceful_shutdown=settings.drain_seconds,
        )
    ).run()


if __name__ == "__main__":
    sys.exit(main())
