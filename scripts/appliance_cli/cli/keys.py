"""The group ``keys``: API keys of programs."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from appliance_cli.base.output import Output
from appliance_cli.base.tables import table
from appliance_cli.cli.options import (
    LIMIT_TITLES,
    limit_cells,
    public,
    with_limits,
)
from appliance_cli.cli.run import Json, Run, command
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access, accounts, guard, keys
from appliance_cli.door.accounts import Entry, Limits

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


@command(app)
@with_limits
def add(
    run: Run,
    name: Name,
    limits: Limits,
    expires: Expires = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, for the only time. It is stored hashed and cannot be shown again."""
    appliance = run.appliance
    now = datetime.now(UTC)
    until = accounts.expiry(expires, now) if expires else None
    output = run.output
    was_open = guard.is_open_to_programs(appliance)
    key, entry = keys.add(access.of(appliance), name, limits, until, now)
    _hand_over(appliance, f"Key {name} added", key, entry, as_json, output)
    if was_open:
        output.say("      It is the first one: from now on the API asks everybody for a key.")


@command(app, "list")
def list_keys(run: Run, as_json: Json = False) -> None:
    """Show the keys' names, last characters, expiry and limits."""
    appliance = run.appliance
    entries, now = keys.load(access.of(appliance)), datetime.now(UTC)
    output = run.output
    if as_json:
        rows = [{**public(entry, "sha256"), "expired": keys.expired(entry, now)} for entry in entries]
        output.data(json.dumps({"keys": rows}, indent=2))
    elif entries:
        titles = ("NAME", "KEY", "CREATED", "EXPIRES", *LIMIT_TITLES)
        output.data(table(titles, [_row(entry, now) for entry in entries], numbers=LIMIT_TITLES))
    else:
        output.say(f"There is no key yet. Add one: {appliance.command('keys add NAME')}")


@command(app, asks=True)
def revoke(run: Run, name: Name) -> None:
    """Take a key away, after asking. Whoever uses it is refused within a second."""
    output = run.output
    appliance = run.appliance
    folder = access.of(appliance)
    accounts.require_entry(keys.load(folder), name, "key")
    if not output.confirm_loss(f"Revoke the key {name}? Whoever uses it will be refused."):
        output.say("Nothing was changed.")
        return
    left = keys.revoke(folder, name)
    output.item("ok", f"Key {name} revoked")
    if not keys.valid(left, datetime.now(UTC)):
        output.item("warn", _none_left(appliance, any_left=bool(left)))


@command(app)
def rotate(
    run: Run,
    name: Name,
    expires: Expires = None,
    as_json: Json = False,
) -> None:
    """Replace a key: same name and limits, a new key, and the old one stops."""
    appliance = run.appliance
    now = datetime.now(UTC)
    until = accounts.expiry(expires, now) if expires else None
    key, entry = keys.rotate(access.of(appliance), name, until, now)
    title = f"Key {name} replaced; the old one stops within a second"
    _hand_over(appliance, title, key, entry, as_json, run.output)


def _hand_over(
    appliance: Appliance, title: str, key: str, entry: Entry, as_json: bool, output: Output
) -> None:
    base_url = f"{appliance.public_url}/v1"
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


def _none_left(appliance: Appliance, *, any_left: bool) -> str:
    if any_left or not appliance.loopback:
        return "No valid key is left: the API refuses everybody"
    return "No key is left: the API is open again to everybody on this machine"
