"""The group ``users``: people who sign in to the web page."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from appliance_cli.base.tables import table
from appliance_cli.cli.options import (
    LIMIT_TITLES,
    limit_cells,
    new_password,
    public,
    with_limits,
)
from appliance_cli.cli.run import Json, Run, command
from appliance_cli.door import access, guard, users
from appliance_cli.door.accounts import Limits

app = typer.Typer(
    no_args_is_help=True,
    help="People who may open the chat: add, list, remove, passwd. A change takes effect within a second.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name to sign in with.")]


@command(app)
@with_limits
def add(
    run: Run,
    name: Name,
    limits: Limits,
) -> None:
    """Let a person in. The password is asked for twice, or read as one line from standard input."""
    appliance = run.appliance
    folder = access.of(appliance)
    folder.require_usable()
    users.require_new(folder, name)
    password_hash = users.hashed(new_password(name))
    output = run.output
    was_open = guard.is_open_to_people(appliance)
    users.add(folder, name, password_hash, limits, datetime.now(UTC))
    output.item("ok", f"User {name} added", f"signs in at {appliance.public_url}/")
    if was_open:
        output.say("      It is the first one: from now on the chat asks everybody to sign in.")


@command(app, "list")
def list_users(run: Run, as_json: Json = False) -> None:
    """Show the users' names and limits."""
    appliance = run.appliance
    entries = users.load(access.of(appliance))
    output = run.output
    if as_json:
        output.data(json.dumps({"users": [public(entry, "bcrypt") for entry in entries]}, indent=2))
    elif entries:
        rows = [[entry["name"], entry["created"] or "", *limit_cells(entry)] for entry in entries]
        output.data(table(("NAME", "CREATED", *LIMIT_TITLES), rows, numbers=LIMIT_TITLES))
    else:
        output.say(f"There is no user yet. Add one: {appliance.command('users add NAME')}")


@command(app, asks=True)
def remove(run: Run, name: Name) -> None:
    """Take a person's access away, after asking."""
    output = run.output
    appliance = run.appliance
    folder = access.of(appliance)
    users.require_known(folder, name)
    if not output.confirm_loss(f"Remove the user {name}? They will be signed out."):
        output.say("Nothing was changed.")
        return
    left = users.remove(folder, name)
    output.item("ok", f"User {name} removed")
    if not left and appliance.sso_url is None:
        shut = "nobody can sign in to the chat" if not appliance.loopback else ""
        output.item(
            "warn", f"No user is left: {shut or 'the chat is open again to everybody on this machine'}"
        )


@command(app)
def passwd(run: Run, name: Name) -> None:
    """Change a person's password; asked for as with add."""
    appliance = run.appliance
    folder = access.of(appliance)
    folder.require_usable()
    users.require_known(folder, name)
    users.change_password(folder, name, users.hashed(new_password(name)))
    run.output.item("ok", f"Password of {name} changed")
