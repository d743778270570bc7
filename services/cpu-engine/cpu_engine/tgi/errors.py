"""How a refusal or a failure is told to a client.

CpuEngineError
├── BodyError               plain text, as axum answers: 400, 413, 415 and 422 for a wrong shape
└── TgiError                {"error", "error_type"}, as TGI answers
    ├── ValidationError     422
    ├── SuffixNotSupported  422
    ├── BatchSizeExceeded   422
    ├── TemplateError       422
    ├── ToolError           422
    ├── Overloaded          429
    ├── GenerationError     424
    ├── IncompleteGeneration        500
    ├── IncompleteGenerationStream  500
    ├── EmptyVertexRequest  422
    ├── IncompleteVertexGeneration  500
    └── Unhealthy           503
"""

from typing import ClassVar

from cpu_engine.errors import CpuEngineError


class BodyError(CpuEngineError):
    """A request body that never became a request.

    Args:
        status: HTTP status of the plain-text answer.
        message: its text.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class TgiError(CpuEngineError):
    """An error with TGI's JSON body.

    `metric` is the `err` label of `tgi_request_failure`, or None where TGI counts nothing.
    """

    status: ClassVar[int]
    error_type: ClassVar[str]
    metric: ClassVar[str | None] = None
    prefix: ClassVar[str] = ""

    def __init__(self, message: str) -> None:
        super().__init__(self.prefix + message)

    def body(self) -> dict[str, str]:
        """The JSON body of a plain answer and the data of a /generate_stream error event."""
        return {"error": str(self), "error_type": self.error_type}


class ValidationError(TgiError):
    """The request is well formed, and a value in it is not acceptable."""

    status = 422
    error_type = "validation"
    metric = "validation"
    prefix = "Input validation error: "


class SuffixNotSupported(TgiError):
    """/v1/completions was sent a `suffix`."""

    status = 422
    error_type = "suffix not supported"
    metric = "validation"


class BatchSizeExceeded(TgiError):
    """/v1/completions was sent more prompts than --max-client-batch-size."""

    status = 422
    error_type = "batch size exceeded"
    metric = "validation"


class TemplateError(TgiError):
    """The model's chat template is missing or refuses the messages."""

    status = 422
    error_type = "template_error"
    metric = "template"
    prefix = "Template error: "


class ToolError(TgiError):
    """The tools cannot be offered, or the model did not call one as it had to."""

    status = 422
    error_type = "tool_error"
    metric = "validation"
    prefix = "Tool error: "


class Overloaded(TgiError):
    """--max-concurrent-requests are already being served."""

    status = 429
    error_type = "overloaded"
    metric = "overloaded"

    def __init__(self) -> None:
        super().__init__("Model is overloaded")


class GenerationError(TgiError):
    """The engine broke down while it worked on the request."""

    status = 424
    error_type = "generation"
    metric = "generation"
    prefix = "Request failed during generation: Server error: "


class IncompleteGeneration(TgiError):
    """The engine ended its tokens before the answer was complete."""

    status = 500
    error_type = "incomplete_generation"
    metric = "incomplete"

    def __init__(self) -> None:
        super().__init__("Incomplete generation")


class IncompleteGenerationStream(TgiError):
    """The same, told inside a stream."""

    status = 500
    error_type = "incomplete_generation_stream"
    metric = "incomplete"

    def __init__(self) -> None:
        super().__init__("Incomplete generation stream")


class EmptyVertexRequest(TgiError):
    """/vertex was sent no instance; TGI says no more than this."""

    status = 422
    error_type = "Input validation error"
    metric = "validation"

    def __init__(self) -> None:
        super().__init__("Input validation error")


class IncompleteVertexGeneration(TgiError):
    """One of the instances of /vertex failed, whatever the reason; it has been counted."""

    status = 500
    error_type = "Incomplete generation"

    def __init__(self) -> None:
        super().__init__("Incomplete generation")


class Unhealthy(TgiError):
    """The engine does not answer."""

    status = 503
    error_type = "healthcheck"

    def __init__(self) -> None:
        super().__init__("unhealthy")
