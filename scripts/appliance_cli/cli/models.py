"""The commands about models: ``verify`` and the group ``model``."""

from pathlib import Path
from typing import Annotated

import typer

from appliance_cli.cli.run import Json, Run, command
from appliance_cli.stack import lifecycle as running
from appliance_cli.stack import models
from appliance_cli.stack import prepare as preparing

app = typer.Typer(no_args_is_help=True, help="Models on this host: list, use, remove, export, import.")

ModelId = Annotated[str, typer.Argument(metavar="MODEL_ID", help="For example Qwen/Qwen2.5-7B-Instruct.")]


def verify(
    run: Run,
    model_id: Annotated[str | None, typer.Argument(metavar="[MODEL_ID]", help="All without it.")] = None,
    as_json: Json = False,
) -> None:
    """Read every byte of the downloaded models while they are served. Exits 14 if one is damaged."""
    arguments = ["verify", *([model_id] if model_id else []), *(["--json"] if as_json else [])]
    raise typer.Exit(models.run(run.appliance, *arguments))


@command(app, "list")
def list_models(run: Run, as_json: Json = False) -> None:
    """Show what is on disk: revision, size, whether it is complete, which one is in use."""
    raise typer.Exit(models.run(run.appliance, "list", *(["--json"] if as_json else [])))


@command(app, asks=True, alone=True)
def use(
    run: Run,
    model_id: ModelId,
    revision: Annotated[str, typer.Option(help="A commit or branch.", show_default="the newest")] = "",
) -> None:
    """Switch to another model: fetched and verified while the present one is served, then swapped in."""
    output = run.output
    with models.kept_env(run.appliance):
        models.use(run.appliance, model_id, revision, output)
        appliance = preparing.prepare(preparing.Request(run.appliance), output)
        status = running.start(appliance, output)
    running.announce(appliance, status, output)


@command(app, asks=True)
def remove(
    run: Run,
    model_id: ModelId,
    force: Annotated[bool, typer.Option("--force", help="Also the one that is in use.")] = False,
) -> None:
    """Delete a model from disk, after asking. The one in use stays unless --force is given."""
    output = run.output
    if not output.confirm_loss(f"Delete {model_id}? It would have to be downloaded again."):
        output.say("Nothing was changed.")
        return
    raise typer.Exit(models.run(run.appliance, "remove", model_id, *(["--force"] if force else [])))


@command(app)
def export(
    run: Run,
    model_id: ModelId,
    file: Annotated[Path, typer.Argument(help="The file to write.")],
) -> None:
    """Write a verified model into one file, to carry it to a machine without internet."""
    raise typer.Exit(models.export(run.appliance, model_id, file))


@command(app, "import")
def import_(
    run: Run,
    file: Annotated[Path, typer.Argument(help="A file that `model export` wrote; - for standard input.")],
) -> None:
    """Read such a file: every byte is verified before the model may be used."""
    raise typer.Exit(models.take_in(run.appliance, file))
