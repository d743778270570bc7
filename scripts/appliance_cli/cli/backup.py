"""The commands ``backup`` and ``restore``."""

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from appliance_cli.backup import encryption, restore
from appliance_cli.backup import make as making
from appliance_cli.backup.archive import Manifest
from appliance_cli.backup.encryption import Decryption, Encryption, Program
from appliance_cli.base.errors import BadSetting
from appliance_cli.cli.run import Json, Run
from appliance_cli.compose.client import docker_client
from appliance_cli.host.alone import alone

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="With gpg: a file with the passphrase."),
]
Encrypt = Annotated[
    Program | None,
    typer.Option("--encrypt", help="Encrypt it with this program; it asks for a passphrase unless told."),
]
Recipients = Annotated[
    Path | None,
    typer.Option("--recipients", metavar="FILE", help="Encrypt it for the public keys in this file instead."),
]
Keep = Annotated[
    int | None,
    typer.Option("--keep", min=1, help="With a folder: delete this appliance's dated backups but so many."),
]


def backup(
    run: Run,
    target: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A new file; in a folder it gets a name with the date.")
    ],
    with_model: Annotated[bool, typer.Option("--with-model", help="Also the downloaded models.")] = False,
    encrypt: Encrypt = None,
    recipients: Recipients = None,
    passphrase_file: PassphraseFile = None,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Write settings, keys, users, certificate and usage into one file, while the appliance goes on."""
    appliance, output = run.appliance, run.output
    encrypted = chosen_encryption(encrypt, recipients, passphrase_file, can_ask=output.can_ask)
    if keep is not None and not target.is_dir():
        raise _refused("--keep", "a folder that is there", str(target))
    path = making.target_of(target, appliance.project, encrypted, datetime.now(UTC))
    with alone(appliance, "appliance backup", to_be="backed up"):
        made = making.make(
            appliance, docker_client(), path, output, with_model=with_model, encrypted=encrypted
        )
        removed = [] if keep is None else making.prune(target, appliance.project, keep)
    for old in removed:
        output.item("ok", f"{old} deleted: {keep} newer ones are there")
    facts = {**made.facts(), "removed": [str(old) for old in removed]}
    output.data(json.dumps(facts, indent=2) if as_json else str(made.path))


def chosen_encryption(
    program: Program | None, recipients: Path | None, passphrase_file: Path | None, *, can_ask: bool
) -> Encryption | None:
    """What the options say. Raises BadSetting or HostNotReady for what could not be encrypted."""
    if program is None:
        for option, file in (("--recipients", recipients), ("--passphrase-file", passphrase_file)):
            if file is not None:
                raise _refused(option, "--encrypt age or --encrypt gpg with it", "neither")
        return None
    wanted = Encryption(program, recipients, passphrase_file)
    encryption.require_possible(wanted, can_ask=can_ask)
    return wanted


def restore_command(
    run: Run,
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only prove it and say what it would do; change nothing.")
    ] = False,
    identity: Annotated[
        Path | None, typer.Option("--identity", metavar="FILE", help="With age: the file of the private key.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Bring back what `backup` wrote, here or on another machine; what is there is backed up first."""
    appliance, output = run.appliance, run.output
    with restore.opened(file, Decryption(identity, passphrase_file), appliance.logs) as stream:
        client = docker_client()
        with output.step("Reading and proving the backup"):
            plan = restore.plan(stream, appliance, client)
        output.say(f"  {_described(plan.manifest)}")
        for change in plan.changes:
            output.item("todo", change)
        if check:
            output.item("ok", "The backup is whole; nothing was changed")
            kept = None
        else:
            question = f"Put it in the place of settings, keys, users and usage of {plan.target.project}?"
            if not output.confirm_loss(question):
                output.say("Nothing was changed.")
                return
            kept = restore.put_back(plan, stream, appliance, client, output)
            if kept:
                back = plan.target.command(f"restore {shlex.quote(str(kept))}")
                output.say(f"\nTo go back to what was there: {back}")
            output.say(f"\nRestored. Next: {plan.target.command('up')}")
    if as_json:
        told = {"restored": not check, "kept": str(kept) if kept else None, "changes": plan.changes}
        output.data(json.dumps({**told, **_facts(plan.manifest)}, indent=2))


def _described(manifest: Manifest) -> str:
    models = len(manifest.of("models"))
    also = f", with {models} model{'s' if models > 1 else ''}" if models else ""
    return (
        f"{manifest.project}, made {manifest.made} on {manifest.host} by version {manifest.version}: "
        f"{len(manifest.files) - models} files{also}"
    )


def _facts(manifest: Manifest) -> dict[str, object]:
    return {
        "project": manifest.project,
        "host": manifest.host,
        "made": manifest.made,
        "version": manifest.version,
        "files": [file.name for file in manifest.files],
    }


def _refused(option: str, expected: str, found: str) -> BadSetting:
    return BadSetting(
        f"{option} cannot be used so; nothing was made",
        expected=expected,
        found=found,
        remedy=f"leave {option} out, or give what it needs",
    )
