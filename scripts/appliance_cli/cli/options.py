"""What the commands about keys and users share: options for limits, and asking for a password."""

import functools
import getpass
import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from appliance_cli.base.errors import BadSetting
from appliance_cli.door.accounts import LIMITS, Entry, Limits, limit

LIMIT_TITLES = tuple(each.metadata["title"] for each in LIMITS.values())


def with_limits(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each limit; its parameter ``limits`` gets their values."""

    @functools.wraps(function)
    def read(*arguments: Any, **options: Any) -> None:
        texts = {name: options.pop(name) for name in LIMITS}
        limits = Limits(**{name: limit(_option(name), text) for name, text in texts.items()})
        function(*arguments, limits=limits, **options)

    signature = inspect.signature(function)
    shown = [
        part
        for parameter in signature.parameters.values()
        for part in (LIMIT_PARAMETERS if parameter.name == "limits" else [parameter])
    ]
    read.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return read


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


LIMIT_PARAMETERS = [
    inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[
            str | None, typer.Option(_option(name), metavar="N", help=each.metadata["says"])
        ],
    )
    for name, each in LIMITS.items()
]


def limit_cells(entry: Entry) -> list[str]:
    """An entry's limits for a table."""
    return ["no limit" if entry[name] is None else f"{entry[name]:,}" for name in LIMITS]


def public(entry: Entry, *secret: str) -> dict[str, Any]:
    """An entry without its ``secret`` fields."""
    return {field: value for field, value in entry.items() if field not in secret}


def new_password(name: str) -> str:
    """A password: typed twice on a terminal, else one line of standard input. Raises BadSetting."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {name}: ")
        if getpass.getpass("Once more: ") == password:
            return password
        found = "two different ones"
    else:
        line = sys.stdin.buffer.readline()
        try:
            if line:
                return line.decode().removesuffix("\n").removesuffix("\r")
            found = "no line"
        except UnicodeDecodeError:
            found = "bytes that are not UTF-8"
    raise BadSetting(
        "The password could not be read; nothing was changed",
        expected="the same password twice on a terminal, or one line on standard input",
        found=found,
        remedy="run it again",
    )
