"""The commands about models: ``verify`` and the group ``model``."""

from pathlib import Path
from typing import Annotated

import typer

from appliance_cli.base.output import Output
from appliance_cli.cli.edge import ROOT, EnvFile, Verbose, Yes, edge, env_path
from appliance_cli.config import appliance as settings_module
from appliance_cli.stack import lifecycle as running
from appliance_cli.stack import models
from appliance_cli.stack import prepare as preparing

app = typer.Typer(no_args_is_help=True, help="Models on this host: list, use, remove, export, import.")

ModelId = Annotated[str, typer.Argument(metavar="MODEL_ID", help="For example Qwen/Qwen2.5-7B-Instruct.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@edge
def verify(
    model_id: Annotated[str | None, typer.Argument(metavar="[MODEL_ID]", help="All without it.")] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Read every byte of the downloaded models while they are served. Exits 14 if one is damaged."""
    settings = settings_module.load(ROOT, env_path(env_file))
    arguments = ["verify", *([model_id] if model_id else []), *(["--json"] if as_json else [])]
    raise typer.Exit(models.run(settings, *arguments))


@app.command("list")
@edge
def list_models(as_json: Json = False, env_file: EnvFile = None, verbose: Verbose = False) -> None:
    """Show what is on disk: revision, size, whether it is complete, which one is in use."""
    settings = settings_module.load(ROOT, env_path(env_file))
    raise typer.Exit(models.run(settings, "list", *(["--json"] if as_json else [])))


@app.command()
@edge
def use(
    model_id: ModelId,
    revision: Annotated[str, typer.Option(help="A commit or branch.", show_default="the newest")] = "",
    env_file: EnvFile = None,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Switch to another model: fetched and verified while the present one is served, then swapped in."""
    output = Output(verbose=verbose, assume_yes=yes)
    path = env_path(env_file)
    models.use(settings_module.load(ROOT, path), model_id, revision, output)
    settings = preparing.prepare(preparing.Request(ROOT, path), output)
    running.announce(settings, running.start(settings, output), output)


@app.command()
@edge
def remove(
    model_id: ModelId,
    force: Annotated[bool, typer.Option("--force", help="Also the one that is in use.")] = False,
    env_file: EnvFile = None,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Delete a model from disk, after asking. The one in use stays unless --force is given."""
    output = Output(verbose=verbose, assume_yes=yes)
    settings = settings_module.load(ROOT, env_path(env_file))
    if not output.confirm_loss(f"Delete {model_id}? It would have to be downloaded again."):
        output.say("Nothing was changed.")
        return
    raise typer.Exit(models.run(settings, "remove", model_id, *(["--force"] if force else [])))


@app.command()
@edge
def export(
    model_id: ModelId,
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Write a verified model into one file, to carry it to a machine without internet."""
    settings = settings_module.load(ROOT, env_path(env_file))
    raise typer.Exit(models.export(settings, model_id, file))


@app.command("import")
@edge
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `model export` wrote; - for standard input.")],
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Read such a file: every byte is verified before the model may be used."""
    settings = settings_module.load(ROOT, env_path(env_file))
    raise typer.Exit(models.take_in(settings, file))
