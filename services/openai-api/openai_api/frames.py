"""What the two kinds of streams share: frames out of pieces of bytes, and how a stream ends.

A frame is `data: {…}` and a blank line; a comment (`:`) says that the engine is still at work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import orjson

from openai_api import engine_errors
from openai_api.checks import Json
from openai_api.errors import ApiError, EngineFailed

DONE = b"data: [DONE]\n\n"
_DONE = b"data: [DONE]"
_DATA = b"data:"


def event(document: Json) -> bytes:
    """A frame."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


def tokenless(index: int, reason: str, said: Json) -> Json:
    """A choice that no token stands behind. nginx, which counts tokens by frames, knows it by what it begins
    with (nginx/gate/meter.js).
    """
    return {"finish_reason": reason, "index": index, **said, "logprobs": None}


class Frames(ABC):
    """A stream of the engine's that is being translated. Knows no sockets: bytes go in, bytes come out.

    Args:
        body: what the engine was asked.

    Attributes:
        over: nothing more of what comes belongs to the answer.
        is_done: the engine has said so itself.
        error: why it is over, where that is an error.
    """

    def __init__(self, body: Json) -> None:
        self._body = body
        self.over = False
        self.is_done = False
        self.error: ApiError | None = None
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """What the client gets for the next piece of the engine's."""
        if self._rest:
            data = self._rest + data
        end = data.rfind(b"\n\n")
        if end < 0:
            self._rest = data
            return b""
        self._rest = data[end + 2 :]
        if data.find(b"\n\n") == end:
            return self._frame(data[:end])
        return b"".join([self._frame(frame) for frame in data[:end].split(b"\n\n")])

    def close(self) -> None:
        """The engine's stream has ended; without its last word that is an error."""
        if not self.over:
            self._fail(EngineFailed("The engine broke off its answer. Try again.", code="engine_broke_off"))

    @abstractmethod
    def usual(self, frame: bytes) -> bytes | None:
        """A frame that needs no more than other bytes in two places; None for any other."""

    @abstractmethod
    def end(self) -> bytes:
        """The last frames, [DONE] among them."""

    @abstractmethod
    def translate(self, document: Json) -> bytes:
        """Any other frame.

        Raises:
            KeyError, IndexError, TypeError, AttributeError: it does not have TGI's form.
        """

    def _frame(self, frame: bytes) -> bytes:
        if self.over:
            return b""
        if (made := self.usual(frame)) is not None:
            return made
        if frame == _DONE:
            self.over = self.is_done = True
            return b""
        if not frame.startswith(_DATA):
            return frame + b"\n\n"
        return self._document(frame[len(_DATA) :])

    def _document(self, data: bytes) -> bytes:
        try:
            document: Any = orjson.loads(data)
            if "error" in document:
                self._fail(engine_errors.of_event(document, self._body))
                return b""
            return self.translate(document)
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
            self._fail(EngineFailed("The engine's answer does not have TGI's form."))
            return b""

    def _fail(self, error: ApiError) -> None:
        self.error = error
        self.over = True
