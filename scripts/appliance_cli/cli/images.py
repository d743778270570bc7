"""The group ``images``: the whole appliance in a folder, for a machine without internet."""

from pathlib import Path
from typing import Annotated

import typer

from appliance_cli.cli.run import Run, command
from appliance_cli.stack import carry

app = typer.Typer(no_args_is_help=True, help="Carry the appliance to a machine without internet: save, load.")


@command(app)
def save(run: Run, folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Write every image, this program's packages and the model into a folder, with their digests."""
    carry.save(run.appliance, folder.absolute(), run.output)


@command(app, asks=True, alone=True)
def load(
    run: Run, folder: Annotated[Path, typer.Argument(help="A folder that `images save` wrote.")]
) -> None:
    """Prove such a folder, and take in what is in it; then `up` needs no network."""
    carry.load(run.appliance, folder.absolute(), run.output)
