"""Start-up and shutdown, in order: settings, model, llama.cpp, façade.

Exit codes: 0 after a SIGTERM or SIGINT, when the running requests have ended or their time is up; 1 when the
engine could not start or llama.cpp died, so that Docker starts it again; 2 for a bad command line.
"""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop

from cpu_engine import logs
from cpu_engine.errors import StartupError
from cpu_engine.llama.client import SLACK_TOKENS, LlamaClient
from cpu_engine.llama.engine import LlamaEngine
from cpu_engine.llama.gguf import read_model_file
from cpu_engine.llama.native import NativeServer, NativeSettings
from cpu_engine.llama.published import published_gguf
from cpu_engine.protocol import Http
from cpu_engine.settings import Settings, parse_arguments
from cpu_engine.tgi.app import create_app
from cpu_engine.tgi.inference import Inference
from cpu_engine.tgi.metrics import Metrics
from cpu_engine.tgi.service import Service

log = logging.getLogger("cpu_engine")


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end a clean drain with the signal's exit code."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings) -> int:
    """Run the engine until it is told to stop or llama.cpp dies; the exit code.

    Raises:
        StartupError: it cannot serve.
    """
    began = time.monotonic()
    path = published_gguf(Path(settings.model_id))
    model = read_model_file(path)
    limits = settings.limits(model.context_length)
    native = await NativeServer.start(
        NativeSettings.for_model(
            path, settings.parallel, limits.max_total_tokens + SLACK_TOKENS, settings.threads
        )
    )
    try:
        async with LlamaClient(native.address, native.api_key) as client:
            engine = LlamaEngine(client, model)
            inference = Inference(engine, limits, settings.parallel, Metrics(limits))
            details = {
                "max_input_tokens": limits.max_input_tokens,
                "max_total_tokens": limits.max_total_tokens,
                "parallel": settings.parallel,
                "threads": settings.threads,
                "loaded_s": round(time.monotonic() - began, 2),
            }
            log.info("serving %s on port %s", settings.model_id, settings.port, extra=details)
            return await _run(Service(inference, settings), native)
    finally:
        await native.stop()


async def _run(service: Service, native: NativeServer) -> int:
    settings = service.settings
    server = _Server(
        uvicorn.Config(
            create_app(service),
            host=settings.hostname,
            port=settings.port,
            http=Http,
            lifespan="off",
            log_config=None,
            # why: nginx keeps idle connections for 60 s; one that this side closed first would lose a request
            timeout_keep_alive=75,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.graceful_termination_timeout,
        )
    )

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    death = asyncio.create_task(native.wait())
    death.add_done_callback(lambda _: stop())
    await server.serve()
    if death.done():
        log.error(
            "llama.cpp's server died with code %s, ending so that the container restarts", death.result()
        )
        return 1
    death.cancel()
    return 0


def main() -> int:
    """Entry point; the exit code."""
    settings = parse_arguments()
    logs.configure(settings.json_output)
    try:
        return uvloop.run(serve(settings))
    except StartupError as error:
        log.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
