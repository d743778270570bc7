"""Log lines for an operator: one per event, JSON or plain. Never a word of what people ask or are answered:
of an exception stands here what it is and where it came from, not its own text.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Formatter(logging.Formatter):
    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        timestamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = record.getMessage() if record.name.startswith("openai_api") else record.msg
        if record.exc_info:
            message = f"{message}\n{describe(record.exc_info[1])}"
        if self._as_json:
            return json.dumps(
                {"timestamp": timestamp, "level": record.levelname, "message": message, **extra}
            )
        return " ".join(
            [timestamp, record.levelname, str(message), *(f"{key}={value}" for key, value in extra.items())]
        )


def describe(error: BaseException | None) -> str:
    """An exception's type and the lines that it came through, and the same of what led to it."""
    parts: list[str] = []
    while error is not None and len(parts) < 5:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        parts.append("\n".join([type(error).__name__, *lines]))
        error = error.__cause__ or error.__context__
    return "\nafter ".join(parts)


def configure(as_json: bool) -> None:
    """Send every log line to standard error; libraries speak from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("openai_api").setLevel(logging.INFO)
