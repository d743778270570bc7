"""What this service writes about itself: never a word of what people ask or are answered.

A failure's own text may quote what it failed at: Gradio's does, where a page of another version sends too few
values. So of an exception stands here what it is and where it came from; of other packages' lines the first,
and what they print goes nowhere.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from types import TracebackType
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OWN = "chat_ui"
# their first lines are fixed texts, but for the addresses and numbers in them
MAX_CHARS = 200

log = logging.getLogger(__name__)


class WithoutContent(logging.Formatter):
    """Lines without anybody's text in them."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, and below it where its exception came from."""
        if record.name.partition(".")[0] != OWN:
            first = record.getMessage().strip().partition("\n")[0][:MAX_CHARS]
            record = logging.makeLogRecord({**record.__dict__, "msg": first, "args": None})
        return super().format(record)

    def formatException(self, ei: Any) -> str:
        """The exception's type and frames; in place of its own text nothing."""
        return describe(ei[1])


def describe(error: BaseException | None) -> str:
    """An exception's type and the lines that it came through, and the same of what led to it."""
    parts: list[str] = []
    while error is not None and len(parts) < 5:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        parts.append("\n".join([type(error).__name__, *lines]))
        error = error.__cause__ or error.__context__
    return "\nafter ".join(parts)


def start(level: int = logging.INFO) -> None:
    """From now on everything that is written by this process is written so."""
    handler = logging.StreamHandler()
    handler.setFormatter(WithoutContent(FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.excepthook = _report
    warnings.showwarning = _report_warning  # type: ignore[assignment]
    # Gradio's ways to report what went wrong
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for as long as the process lives)
    traceback.print_exc = _print_exc


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("ended", exc_info=(kind, error, trace))


def _report_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any
) -> None:
    log.warning("%s at %s:%s", category.__name__, filename, lineno)


def _print_exc(*_: Any, **__: Any) -> None:
    log.error("something failed", exc_info=True)
