"""What every command shares: which appliance it acts on, how it narrates, how a failure ends it.

`command` registers a function whose first parameter is a `Run`. The options that make the Run (--env-file,
--verbose and, for commands that ask something, --yes) are added here, so that none can be forgotten.
"""

import functools
import inspect
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from appliance_cli.base.errors import ApplianceError, StepFailed, render
from appliance_cli.base.output import Output
from appliance_cli.compose import client
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.host import alone as holding

ROOT = Path(__file__).resolve().parents[3]

EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", help="Settings of another appliance beside this one.", show_default=".env"),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what every program prints, and tracebacks.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


class Run:
    """One run of this program: the appliance that ``env_file`` describes, and the output."""

    def __init__(self, env_file: Path, output: Output) -> None:
        self.env_file = env_file
        self.output = output

    @cached_property
    def appliance(self) -> Appliance:
        """The appliance as its .env and the shell describe it. Raises BadSetting."""
        return load(ROOT, self.env_file)


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    asks: bool = False,
    alone: bool = False,
    epilog: str | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command. ``asks``: it takes --yes; ``alone``: none of its kind may run beside it.

    A bad .env ends it before it does anything.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(
            *, context: typer.Context, env_file: Path | None, verbose: bool, yes: bool = False, **own: Any
        ) -> None:
            output = Output(verbose=verbose, assume_yes=yes)
            run = Run(env_path(env_file or context.obj), output)
            with edge(output):
                _ = run.appliance
                held = holding.alone(run.appliance, context.command_path) if alone else nullcontext()
                with held:
                    function(run, **own)

        _show_to_typer(guarded, function, asks=asks)
        app.command(name, epilog=epilog)(guarded)
        return function

    return register


def _show_to_typer(guarded: Callable[..., None], function: Callable[..., None], *, asks: bool) -> None:
    """Give ``guarded`` the signature that typer reads: the function's own options, and the shared ones."""
    named = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(function).parameters.values())[1:]
    signature = inspect.Signature(
        [
            inspect.Parameter("context", named, annotation=typer.Context),
            *(parameter.replace(kind=named) for parameter in own),
            inspect.Parameter("env_file", named, default=None, annotation=EnvFile),
            *([inspect.Parameter("yes", named, default=False, annotation=Yes)] if asks else []),
            inspect.Parameter("verbose", named, default=False, annotation=Verbose),
        ]
    )
    guarded.__signature__ = signature  # type: ignore[attr-defined]
    guarded.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}


@contextmanager
def edge(output: Output) -> Iterator[None]:
    """End with a failure's text and exit code. Tracebacks only when verbose."""
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        output.say("\nInterrupted. Running it again goes on where this stopped.")
        raise typer.Exit(130) from None
    except Exception as error:
        told = _explained(error)
        if output.verbose:
            output.say(traceback.format_exc())
        output.say("")
        for line in render(told):
            output.say(line)
        raise typer.Exit(told.exit_code) from None


def _explained(error: Exception) -> ApplianceError:
    """The failure in the operator's terms."""
    if isinstance(error, ApplianceError):
        return error
    if isinstance(error, client.FAILURES):
        return client.refused(error)
    if isinstance(error, OSError) and error.filename:
        remedy = "see that it is what it should be, and run this as its owner or with sudo"
        found = f"{error.filename}: {error.strerror}"
        return StepFailed("A file cannot be used", expected="access to it", found=found, remedy=remedy)
    remedy = "run it again with --verbose and report what it shows"
    return ApplianceError("Something unforeseen happened", expected="", found=repr(error), remedy=remedy)


def env_path(given: Path | None) -> Path:
    """The settings file as an absolute path; a relative one is meant from where the operator stands."""
    return Path(os.path.abspath(given)) if given else ROOT / ".env"
