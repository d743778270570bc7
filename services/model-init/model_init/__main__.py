"""The edge: parses flags and environment, runs the job, turns failures into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from .commands import add_commands, quiet_reporter
from .errors import Interrupted, ModelInitError
from .kernels.prepare import prepare_kernels
from .prepare import prepare
from .report.console import Console, human_bytes
from .report.reporter import Reporter
from .report.status import Status
from .settings import Settings
from .sources import make_source
from .volume.disk import disk_failure
from .volume.layout import only_writer, prepare_volume, start_mark
from .volume.manifest import Manifest


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run once. Returns the exit code (see `errors`)."""
    options = _parser().parse_args(arguments)
    console = Console(as_json=options.json and options.command is None)
    reporter = _unsettled_reporter(environ, console, writes=options.writes_status and options.command is None)
    try:
        settings = Settings.from_environ(environ)
        if options.command is not None:
            reporter = quiet_reporter(settings)
            options.command(settings, options, reporter)
            return 0
        os.environ.update(settings.client_environment())
        prepare_volume(settings.models_dir)
        status = Status(model_id=settings.model_id, revision=settings.revision, source=settings.source)
        reporter = Reporter(settings.models_dir, status, console, writes=options.writes_status)
        _run(settings, reporter)
    except KeyboardInterrupt as stop:
        return _fail(reporter, Interrupted(str(stop)), options.verbose)
    except ModelInitError as error:
        return _fail(reporter, error, options.verbose)
    except OSError as error:
        return _fail(reporter, disk_failure(error), options.verbose)
    except Exception as error:
        text = f"internal error: {type(error).__name__}: {error}; run again with --verbose and report it"
        return _fail(reporter, ModelInitError(text), options.verbose)
    return 0


def _run(settings: Settings, reporter: Reporter) -> None:
    started = time.monotonic()
    with only_writer(settings.models_dir, reporter.say):
        reporter.stage(
            "starting", f"Looking for {settings.model_id} ({settings.model_format}, from {settings.source})"
        )
        with start_mark(settings.models_dir) as ended_badly:
            if ended_badly:
                reporter.say("The last start died before its end")
            manifest = prepare(
                settings, reporter, lambda: make_source(settings, reporter), ended_badly=ended_badly
            )
            prepare_kernels(settings, reporter)
        total = sum(file.size for file in manifest.files)
        message = _ready_message(manifest, total, time.monotonic() - started)
        reporter.ready(message, total, len(manifest.files))


def _ready_message(manifest: Manifest, total: int, seconds: float) -> str:
    revision = f" at {manifest.revision[:12]}" if manifest.revision else ""
    count = "1 file" if len(manifest.files) == 1 else f"{len(manifest.files)} files"
    proof = "verified" if manifest.known else "structure only, no digests known"
    return f"{manifest.model_id}{revision} is ready: {count}, {human_bytes(total)}, {proof} ({seconds:.1f} s)"


def _unsettled_reporter(environ: Mapping[str, str], console: Console, *, writes: bool) -> Reporter:
    """Who says that the settings are bad, while there are none: to the log and, if possible, the volume."""
    status = Status(model_id=environ.get("MODEL_ID", ""))
    return Reporter(Path(environ.get("MODELS_DIR") or "/models"), status, console, writes=writes)


def _fail(reporter: Reporter, error: ModelInitError, verbose: bool) -> int:
    """Say the failure that is being handled, once, and give its exit code."""
    reporter.fail(error)
    if verbose:
        traceback.print_exc()
    return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="model_init",
        description="Bring a model into the models volume, verify every byte, publish it, exit.",
        epilog="Settings come from the environment; see settings.py.",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object per event on stdout, for programs"
    )
    parser.add_argument("--verbose", action="store_true", help="show the traceback of a failure")
    add_commands(parser)
    return parser


def _stop(number: int, _frame: FrameType | None) -> None:
    """End the work from wherever it is, by an exception that no library swallows, and only once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt(
        f"stopped by {signal.Signals(number).name} before the model was complete; what is on disk is "
        "kept, start again to continue"
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    sys.exit(main(sys.argv[1:], os.environ))
