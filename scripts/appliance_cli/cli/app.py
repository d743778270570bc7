"""The commands.

Parses options and calls the parts; failures end in edge.py.
"""

import contextlib
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from appliance_cli.base.output import Output
from appliance_cli.cli import door as door_commands
from appliance_cli.cli import gpu as gpu_commands
from appliance_cli.cli import keys as key_commands
from appliance_cli.cli import models as model_commands
from appliance_cli.cli import plan as plan_commands
from appliance_cli.cli import users as user_commands
from appliance_cli.cli.edge import ROOT, EnvFile, Verbose, Yes, edge, env_path
from appliance_cli.config import appliance as settings_module
from appliance_cli.stack import lifecycle as running
from appliance_cli.stack import prepare as preparing
from appliance_cli.stack.status import report, table

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Run the Qwen TGI appliance on this host: a private chat service and API.",
    epilog="Exit codes: 0 done, 2 bad setting, option or name, 3 the host lacks something or nobody agreed "
    "(nothing was changed), 4 a step failed, 5 the model or a service failed for good, 130 interrupted.",
)

COMMANDS = (
    *("up", "prepare", "down", "status", "logs", "verify", "usage", "scale", "reload", "tls"),
    *("plan", "gpu"),
)
GROUPS = {
    "model": ("list", "use", "remove", "export", "import"),
    "keys": ("add", "list", "revoke", "rotate"),
    "users": ("add", "list", "remove", "passwd"),
}
Replicas = Annotated[int | None, typer.Option(min=1, max=100, help="Chat replicas.", show_default="3")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.", show_default="8080")]
Service = Annotated[str | None, typer.Argument(help="model-init, tgi, ui or nginx; all without it.")]
EngineOption = Annotated[
    Literal["auto", "gpu", "cpu"],
    typer.Option(help="gpu: TGI; cpu: llama.cpp, for trying; auto: what .env says, else what the host has."),
]


@app.callback()
def main(
    context: typer.Context,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", envvar="APPLIANCE_ENV_FILE", hidden=True)
    ] = None,
) -> None:
    """Take --env-file before the command as well as after it."""
    context.default_map = {
        **{name: {"env_file": env_file} for name in COMMANDS},
        **{group: {name: {"env_file": env_file} for name in names} for group, names in GROUPS.items()},
    }


@app.command()
@edge
def up(
    engine: EngineOption = "auto",
    replicas: Replicas = None,
    port: Port = None,
    env_file: EnvFile = None,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Bring the appliance up: look at the host, install what is missing, build, start, wait until it answers.

    Safe to repeat: what is there is left alone. Options are remembered in .env.
    """
    output = Output(verbose=verbose, assume_yes=yes)
    request = preparing.Request(ROOT, env_path(env_file), engine, replicas, port)
    settings = preparing.prepare(request, output)
    running.build(settings, output)
    try:
        status = running.start(settings, output)
    except KeyboardInterrupt:
        output.say("\nIt goes on coming up without this command. Where it stands: ./scripts/appliance status")
        raise typer.Exit(130) from None
    running.announce(settings, status, output)


@app.command()
@edge
def prepare(
    engine: EngineOption = "auto",
    env_file: EnvFile = None,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Install what is missing, make base images, write .env; start nothing."""
    output = Output(verbose=verbose, assume_yes=yes)
    preparing.prepare(preparing.Request(ROOT, env_path(env_file), engine, starting=False), output)
    output.say("\nPrepared. Next: ./scripts/appliance up")


@app.command()
@edge
def down(
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Also delete the downloaded model and the usage counted.")
    ] = False,
    env_file: EnvFile = None,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Stop the appliance and remove its containers. Keeps the downloaded model unless --volumes is given."""
    output = Output(verbose=verbose, assume_yes=yes)
    settings = settings_module.load(ROOT, env_path(env_file))
    question = f"Delete the downloaded model and the counted usage of {settings.project}?"
    if volumes and not output.confirm_loss(question):
        output.say("Nothing was changed.")
        return
    running.stop(settings, output, volumes=volumes)


@app.command(
    epilog="Exit codes: 0 ready, 5 failed, 6 coming up, 7 not running, 4 the Docker engine does not answer."
)
@edge
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Show the containers, the model's stage and the address. Exits 0 only when the appliance is ready."""
    settings = settings_module.load(ROOT, env_path(env_file))
    content, code = report(settings)
    output = Output(verbose=verbose)
    output.data(json.dumps(content, indent=2) if as_json else table(content))
    raise typer.Exit(code)


@app.command()
@edge
def logs(
    service: Service = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing what comes.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="Lines per container.")] = 100,
    env_file: EnvFile = None,
    verbose: Verbose = False,
) -> None:
    """Show what the services wrote."""
    settings = settings_module.load(ROOT, env_path(env_file))
    with contextlib.suppress(KeyboardInterrupt):
        raise typer.Exit(running.follow_logs(settings, service=service, follow=follow, tail=str(tail)))


app.command()(model_commands.verify)
app.command()(plan_commands.plan)
app.command()(gpu_commands.gpu)
app.command()(door_commands.usage)
app.command()(door_commands.scale)
app.command()(door_commands.reload)
app.command()(door_commands.tls)
app.add_typer(model_commands.app, name="model")
app.add_typer(key_commands.app, name="keys")
app.add_typer(user_commands.app, name="users")
