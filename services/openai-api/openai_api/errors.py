"""What can go wrong, as OpenAI's clients are told: a status for the right class of exception, and a sentence.

ApiError
├── BadRequest        400   something in the request: the sentence names it and says what to change
│   ├── SchemaTooLarge
│   ├── ContextTooLong
│   └── CallCut
├── NotFound          404
├── BodyTooLarge      413
├── Overloaded        429
├── EngineFailed      500
├── EngineUnavailable 503
SettingsError         a variable that is not of its form; the process ends with it
"""

from __future__ import annotations

from typing import ClassVar

RETRY_AFTER_SECONDS = 5


class SettingsError(Exception):
    """An environment variable is not of its form; the message names it and the accepted form."""


class ApiError(Exception):
    """An answer that is an error in OpenAI's form.

    Args:
        message: a sentence for people.
        param: the field that it is about, None for none.
        code: a word for programs; None for the class's own.
        retry_after: seconds after which to ask again, where that helps.
    """

    status: ClassVar[int]
    kind: ClassVar[str] = "invalid_request_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code or self.code
        self.retry_after = retry_after

    def body(self) -> dict[str, object]:
        """The JSON body of an answer, and the data of an event inside a stream."""
        return {
            "error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code},
        }

    def headers(self) -> dict[str, str]:
        """What the answer's headers say beside it."""
        return {"Retry-After": self.retry_after} if self.retry_after else {}


class BadRequest(ApiError):
    """The request has to be changed."""

    status = 400


class SchemaTooLarge(BadRequest):
    """A JSON schema whose grammar would take too long to prepare."""

    code = "schema_too_large"


class ContextTooLong(BadRequest):
    """Prompt and answer do not fit the model's context."""

    code = "context_length_exceeded"


class CallCut(BadRequest):
    """The model's call of a tool did not end within the tokens that the answer may have.

    Attributes:
        written: what the model had written.
    """

    code = "tool_call_cut"

    def __init__(self, written: str) -> None:
        super().__init__("The call of a tool did not end within its tokens. Raise max_tokens.", "max_tokens")
        self.written = written


class NotFound(ApiError):
    """No such route or model."""

    status = 404
    code = "not_found"


class BodyTooLarge(ApiError):
    """More bytes than a request may have."""

    status = 413
    code = "request_too_large"


class Overloaded(ApiError):
    """The engine is full, or a limit is reached."""

    status = 429
    kind = "service_unavailable"
    code = "overloaded"


class EngineFailed(ApiError):
    """The engine broke down over this request."""

    status = 500
    kind = "server_error"
    code = "engine_error"


class EngineUnavailable(ApiError):
    """There is no engine to ask, or not yet."""

    status = 503
    kind = "service_unavailable"
    code = "engine_unavailable"
