"""A body that is not what it should be: serde's reason and place, in axum's sentence."""

from cpu_engine.tgi.errors import BodyError

_SYNTAX = 400, "Failed to parse the request body as JSON"
_SHAPE = 422, "Failed to deserialize the JSON body into the target type"


class Refused(Exception):
    """A body that is not what it should be.

    Args:
        reason: serde's words.
        path: where in the body, as serde_path_to_error writes it.
        at: bytes read before it; None when the enclosing value decides.
        is_syntax: it is not JSON at all.
    """

    def __init__(self, reason: str, path: str, at: int | None, is_syntax: bool) -> None:
        super().__init__(reason)
        self.reason, self.path, self.at, self.is_syntax = reason, path, at, is_syntax

    def place(self, body: bytes) -> str:
        """Where in `body` it was, in serde_json's words; empty when nobody knows."""
        if self.at is None:
            return ""
        line_start = body.rfind(b"\n", 0, self.at) + 1
        line = body.count(b"\n", 0, line_start) + 1
        return f" at line {line} column {self.at - line_start}"

    def told(self, body: bytes) -> BodyError:
        """The answer, in axum's words."""
        status, what = _SYNTAX if self.is_syntax else _SHAPE
        where = f"{self.path}: " if self.path else ""
        return BodyError(status, f"{what}: {where}{self.reason}{self.place(body)}")
