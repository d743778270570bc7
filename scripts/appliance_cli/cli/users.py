"""The group ``users``: people who sign in to the web page."""

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
    new_password,
    public,
    table,
)
from appliance_cli.config import appliance as settings_module
from appliance_cli.door import access, guard, users

app = typer.Typer(
    no_args_is_help=True,
    help="People who may open the chat: add, list, remove, passwd. A change takes effect within a second.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name to sign in with.")]


@app.command()
@edge
def add(
    name: Name,
    rpm: Rpm = None,
    concurrent: Concurrent = None,
    daily_tokens: DailyTokens = None,
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Let a person in. The password is asked for twice, or read as one line from standard input."""
    settings = settings_module.load(ROOT, env_path(env_file))
    folder = access.of(settings)
    wanted = limits(rpm, concurrent, daily_tokens)
    folder.require_usable()
    users.require_new(folder, name)
    password_hash = users.hashed(new_password(name))
    output = Output(verbose=verbose)
    was_open = guard.is_open_to_people(settings)
    users.add(folder, name, password_hash, wanted, datetime.now(UTC))
    output.item("ok", f"User {name} added", f"signs in at {settings.public_url}/")
    if was_open:
        output.say("      It is the first one: from now on the chat asks everybody to sign in.")


@app.command("list")
@edge
def list_users(as_json: Json = False, env_file: EnvFile = None, verbose: Verbose = False) -> None:
    """Show the users' names and limits."""
    settings = settings_module.load(ROOT, env_path(env_file))
    entries = users.load(access.of(settings))
    output = Output(verbose=verbose)
    if as_json:
        output.data(json.dumps({"users": [public(entry, "bcrypt") for entry in entries]}, indent=2))
    elif entries:
        rows = [[entry["name"], entry["created"] or "", *limit_cells(entry)] for entry in entries]
        output.data(table(("NAME", "CREATED", *LIMIT_TITLES), rows, numbers=LIMIT_TITLES))
    else:
        output.say(f"There is no user yet. Add one: {settings.command('users add NAME')}")


@app.command()
@edge
def remove(name: Name, env_file: EnvFile = None, yes: Yes = False, verbose: Verbose = False) -> None:
    """Take a person's access away, after asking."""
    output = Output(verbose=verbose, assume_yes=yes)
    settings = settings_module.load(ROOT, env_path(env_file))
    folder = access.of(settings)
    users.require_known(folder, name)
    if not output.confirm_loss(f"Remove the user {name}? They will be signed out."):
        output.say("Nothing was changed.")
        return
    left = users.remove(folder, name)
    output.item("ok", f"User {name} removed")
    if not left and settings.sso_url is None:
        shut = "nobody can sign in to the chat" if not settings.loopback else ""
        output.item(
            "warn", f"No user is left: {shut or 'the chat is open again to everybody on this machine'}"
        )


@app.command()
@edge
def passwd(name: Name, env_file: EnvFile = None, verbose: Verbose = False) -> None:
    """Change a person's password; asked for as with add."""
    settings = settings_module.load(ROOT, env_path(env_file))
    folder = access.of(settings)
    folder.require_usable()
    users.require_known(folder, name)
    users.change_password(folder, name, users.hashed(new_password(name)))
    Output(verbose=verbose).item("ok", f"Password of {name} changed")
