"""What keeps the service from starting, and how an engine says that it failed. Clients see `tgi.errors`.

CpuEngineError
├── StartupError            one log line, exit code 1
│   ├── ModelError          the published model is missing, foreign or damaged
│   └── NativeServerError   llama.cpp's server did not start, or died
├── GenerationFailed        the engine broke down while it worked on a request
├── TemplateRefused         a conversation that the model's chat template does not take
├── tgi.errors.BodyError
└── tgi.errors.TgiError

Bad command-line settings never become an exception: argparse reports them and exits with code 2.
"""


class CpuEngineError(Exception):
    """Root of the tree; `str()` is the message for people."""


class StartupError(CpuEngineError):
    """The engine cannot serve; the message says what was expected, what was found and what to do."""


class ModelError(StartupError):
    """The model folder does not hold a complete, verified GGUF file."""


class NativeServerError(StartupError):
    """llama.cpp's own server did not come up or has stopped."""


class GenerationFailed(CpuEngineError):
    """The engine broke down while it worked on a request; the message is its own."""


class TemplateRefused(CpuEngineError):
    """The model has no chat template, or it refuses the messages."""
