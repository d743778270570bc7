"""The group ``service``: the systemd timers that run ``heal`` and ``backup``."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from appliance_cli.backup import encryption
from appliance_cli.base.errors import BadSetting
from appliance_cli.cli.backup import Encrypt, PassphraseFile, Recipients, chosen_encryption
from appliance_cli.cli.run import Json, Run, command
from appliance_cli.host import service_unit
from appliance_cli.host.service_unit import Schedule

app = typer.Typer(
    no_args_is_help=True,
    help="Have systemd run `heal` every minute and after each boot, and `backup` every day: "
    "install, backup, remove, status.",
)


@command(app)
def install(run: Run) -> None:
    """Write the systemd timer of `heal` and start it. Needs root."""
    service_unit.install(run.appliance)
    name = service_unit.name_of(run.appliance)
    run.output.item("ok", f"{name}.timer runs", f"log: journalctl -u {name}")


@command(app)
def backup(
    run: Run,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that the backups go to.")],
    at: Annotated[str, typer.Option("--at", help="When, as systemd's OnCalendar has it.")] = "03:30",
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many of them stay.")] = 14,
    encrypt: Encrypt = None,
    recipients: Recipients = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Have systemd make a backup every day, or when --at says. Needs root."""
    if not folder.is_dir():
        raise BadSetting(
            "The backups cannot go there; nothing was changed",
            expected="a folder that is there",
            found=str(folder),
            remedy="make it, or name another one",
        )
    wanted = chosen_encryption(encrypt, recipients, passphrase_file, can_ask=False)
    arguments = [os.path.abspath(folder), "--keep", str(keep), *_options(wanted)]
    service_unit.install_backup(run.appliance, Schedule(at, tuple(arguments)))
    name = service_unit.name_of(run.appliance, "backup")
    run.output.item("ok", f"{name}.timer runs", f"try it: systemctl start {name}; log: journalctl -u {name}")


@command(app)
def remove(run: Run) -> None:
    """Stop the systemd timers and delete them. Needs root."""
    removed = service_unit.remove(run.appliance)
    run.output.item("ok", "Removed" if removed else "There was none")


@command(app)
def status(run: Run, as_json: Json = False) -> None:
    """Show whether the systemd timers are there, when they ran last, and how that ended."""
    heal = service_unit.state(run.appliance)
    backups = service_unit.state(run.appliance, "backup")
    if as_json:
        run.output.data(json.dumps({**heal, "backup": backups}, indent=2))
        return
    for state in (heal, backups):
        run.output.data("\n".join(f"{key:<9} {value}" for key, value in state.items()))


def _options(wanted: encryption.Encryption | None) -> list[str]:
    """The options with which `backup` encrypts so, whatever folder it is run in."""
    if wanted is None:
        return []
    files = {"--recipients": wanted.recipients, "--passphrase-file": wanted.passphrase_file}
    named = [part for option, file in files.items() if file for part in (option, os.path.abspath(file))]
    return ["--encrypt", wanted.program, *named]
