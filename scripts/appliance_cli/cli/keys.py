"""The group ``keys``: API keys of programs."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from appliance_cli.base.output import Output
from appliance_cli.cli.edge import ROOT, EnvFile, Verbose, Yes, edge, env_path
from appliance_cli.cli.options import (
    LIMIT_TITLES,
    Concurrent,
    DailyTokens,
    Json,
    Rpm,
    limit_cells,
    limits,
    public,
    table,
)
from appliance_cli.config import appliance as settings_module
from appliance_cli.config.appliance import Settings
from appliance_cli.door import access, accounts, guard, keys
from appliance_cli.door.accounts import Entry

app = typer.Typer(
    no_args_is_help=True,
    help="API keys for programs: add, list, revoke, rotate. A change takes effect within a second.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who uses it; shown in logs and usage.")]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires", metavar="DATE|30d", help="When it stops: a date (00:00 UTC), or days from now."
    ),
]


@app.command()
@edge
def add(
    name: Name,
    rpm: Rpm = None,
    concurrent: Concurrent = None,
    daily_tokens: DailyTokens = None,
    expires: Expires = None,
    as_json: Json = False,
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Make a key and print it, for the only time. It is stored hashed and cannot be shown again."""
    settings = settings_module.load(ROOT, env_path(env_file))
    now = datetime.now(UTC)
    wanted = limits(rpm, concurrent, daily_tokens)
    until = accounts.expiry(expires, now) if expires else None
    output = Output(verbose=verbose)
    was_open = guard.is_open_to_programs(settings)
    key, entry = keys.add(access.of(settings), name, wanted, until, now)
    _hand_over(settings, f"Key {name} added", key, entry, as_json, output)
    if was_open:
        output.say("      It is the first one: from now on the API asks everybody for a key.")


@app.command("list")
@edge
def list_keys(as_json: Json = False, env_file: EnvFile = None, verbose: Verbose = False) -> None:
    """Show the keys' names, last characters, expiry and limits."""
    settings = settings_module.load(ROOT, env_path(env_file))
    entries, now = keys.load(access.of(settings)), datetime.now(UTC)
    output = Output(verbose=verbose)
    if as_json:
        rows = [{**public(entry, "sha256"), "expired": keys.expired(entry, now)} for entry in entries]
        output.data(json.dumps({"keys": rows}, indent=2))
    elif entries:
        titles = ("NAME", "KEY", "CREATED", "EXPIRES", *LIMIT_TITLES)
        output.data(table(titles, [_row(entry, now) for entry in entries], numbers=LIMIT_TITLES))
    else:
        output.say(f"There is no key yet. Add one: {settings.command('keys add NAME')}")


@app.command()
@edge
def revoke(name: Name, env_file: EnvFile = None, yes: Yes = False, verbose: Verbose = False) -> None:
    """Take a key away, after asking. Whoever uses it is refused within a second."""
    output = Output(verbose=verbose, assume_yes=yes)
    settings = settings_module.load(ROOT, env_path(env_file))
    folder = access.of(settings)
    accounts.require_entry(keys.load(folder), name, "key")
    if not output.confirm_loss(f"Revoke the key {name}? Whoever uses it will be refused."):
        output.say("Nothing was changed.")
        return
    left = keys.revoke(folder, name)
    output.item("ok", f"Key {name} revoked")
    if not keys.valid(left, datetime.now(UTC)):
        output.item("warn", _none_left(settings, any_left=bool(left)))


@app.command()
@edge
def rotate(
    name: Name,
    expires: Expires = None,
    as_json: Json = False,
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Replace a key: same name and limits, a new key, and the old one stops."""
    settings = settings_module.load(ROOT, env_path(env_file))
    now = datetime.now(UTC)
    until = accounts.expiry(expires, now) if expires else None
    key, entry = keys.rotate(access.of(settings), name, until, now)
    title = f"Key {name} replaced; the old one stops within a second"
    _hand_over(settings, title, key, entry, as_json, Output(verbose=verbose))


def _hand_over(settings: Settings, title: str, key: str, entry: Entry, as_json: bool, output: Output) -> None:
    base_url = f"{settings.public_url}/v1"
    output.item("ok", title, f"until {entry['expires']}" if entry["expires"] else "")
    output.say("      This is the only time that it is shown: only its hash is kept.")
    output.say("      Every request carries it:  Authorization: Bearer <key>")
    output.say(f"      OpenAI clients:            base_url={base_url} api_key=<key>")
    if as_json:
        output.data(json.dumps({**public(entry, "sha256"), "key": key, "base_url": base_url}, indent=2))
    else:
        output.data(key)


def _row(entry: Entry, now: datetime) -> list[str]:
    until = entry.get("expires") or "never"
    return [
        entry["name"],
        entry.get("hint") or "",
        entry["created"] or "",
        f"expired {until}" if keys.expired(entry, now) else until,
        *limit_cells(entry),
    ]


def _none_left(settings: Settings, *, any_left: bool) -> str:
    if any_left or not settings.loopback:
        return "No valid key is left: the API refuses everybody"
    return "No key is left: the API is open again to everybody on this machine"
