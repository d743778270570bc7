"""The edge of every command: options they share, and how a failure becomes text and an exit code, once."""

import functools
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from appliance_cli.base.errors import ApplianceError, StepFailed, render
from appliance_cli.base.output import Output

ROOT = Path(__file__).resolve().parents[3]

P = ParamSpec("P")

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        help="Settings of another appliance beside this one.",
        show_default=".env",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what every program prints, and tracebacks.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]


def edge(command: Callable[P, None]) -> Callable[P, None]:
    """Run a command; end with its failure's text and exit code. Tracebacks only when verbose."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        verbose = bool(kwargs.get("verbose"))
        try:
            command(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            Output().say("\nInterrupted. Running it again goes on where this stopped.")
            raise typer.Exit(130) from None
        except Exception as error:
            told = _explained(error)
            _tell(told, verbose)
            raise typer.Exit(told.exit_code) from None

    return guarded


def _explained(error: Exception) -> ApplianceError:
    """The failure in the operator's terms."""
    if isinstance(error, ApplianceError):
        return error
    if isinstance(error, OSError) and error.filename:
        remedy = "see that it is what it should be, and run this as its owner or with sudo"
        found = f"{error.filename}: {error.strerror}"
        return StepFailed("A file cannot be used", expected="access to it", found=found, remedy=remedy)
    remedy = "run it again with --verbose and report what it shows"
    return ApplianceError("Something unforeseen happened", found=repr(error), remedy=remedy)


def _tell(error: ApplianceError, verbose: bool) -> None:
    output = Output()
    if verbose:
        output.say(traceback.format_exc())
    output.say("")
    for line in render(error):
        output.say(line)


def env_path(given: Path | None) -> Path:
    """The settings file as an absolute path; a relative one is meant from where the operator stands."""
    return Path(os.path.abspath(given)) if given else ROOT / ".env"
