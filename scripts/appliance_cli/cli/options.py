"""What the commands about keys and users share: options for limits, and asking for a password."""

import getpass
import sys
from typing import Annotated, Any

import typer

from appliance_cli.base.errors import BadSetting
from appliance_cli.door.accounts import LIMITS, Entry, Limits, limit

Rpm = Annotated[str | None, typer.Option("--rpm", metavar="N", help="Requests a minute at most.")]
Concurrent = Annotated[
    str | None, typer.Option("--concurrent", metavar="N", help="Answers at a time at most.")
]
DailyTokens = Annotated[
    str | None,
    typer.Option(
        "--daily-tokens", metavar="N", help="Tokens a day (UTC) at most, prompts and answers together."
    ),
]


def limits(rpm: str | None, concurrent: str | None, daily_tokens: str | None) -> Limits:
    """The options' values. Raises BadSetting for the first that cannot be used."""
    return Limits(
        limit("--rpm", rpm), limit("--concurrent", concurrent), limit("--daily-tokens", daily_tokens)
    )


def limit_cells(entry: Entry) -> list[str]:
    """An entry's limits for a table."""
    return ["no limit" if entry[name] is None else f"{entry[name]:,}" for name in LIMITS]


LIMIT_TITLES = ("REQUESTS/MIN", "AT A TIME", "TOKENS/DAY")


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
