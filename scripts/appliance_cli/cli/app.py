"""The program: its commands, by group, and the few that make the appliance run."""

import contextlib
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from appliance_cli.base.output import Output
from appliance_cli.cli import (
    backup,
    bench,
    cost,
    doctor,
    door,
    gpu,
    images,
    keys,
    live,
    models,
    plan,
    release,
    service,
    uninstall,
    users,
)
from appliance_cli.cli.run import ROOT, Json, Run, command, edge
from appliance_cli.compose.volumes import everything
from appliance_cli.config import version
from appliance_cli.config.table import HIGHEST_PORT, MOST_REPLICAS, default_of
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

Replicas = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_REPLICAS, help="Chat replicas.", show_default=default_of("UI_REPLICAS")),
]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=HIGHEST_PORT, help="Port to listen on.", show_default=default_of("HTTP_PORT")),
]
Service = Annotated[str | None, typer.Argument(help="model-init, tgi, ui or nginx; all without it.")]
EngineOption = Annotated[
    Literal["auto", "gpu", "cpu"],
    typer.Option(help="gpu: TGI; cpu: llama.cpp, for trying; auto: what .env says, else what the host has."),
]

OnCpu = Annotated[bool, typer.Option("--cpu", help="Short for --engine cpu.")]


def show_version(wanted: bool) -> None:
    """Print which version this is, and end."""
    if wanted:
        output = Output()
        with edge(output):
            output.data(f"appliance {version.of(ROOT)}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version, and exit."),
    ] = False,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", envvar="APPLIANCE_ENV_FILE", hidden=True)
    ] = None,
) -> None:
    """Take --env-file before the command as well as after it."""
    context.obj = env_file


@command(app, asks=True, alone=True)
def up(
    run: Run,
    engine: EngineOption = "auto",
    replicas: Replicas = None,
    port: Port = None,
    cpu: OnCpu = False,
) -> None:
    """Bring the appliance up: look at the host, install what is missing, build, start, wait until it answers.

    Safe to repeat: what is there is left alone. Options are remembered in .env.
    """
    output = run.output
    request = preparing.Request(run.appliance, "cpu" if cpu else engine, replicas, port)
    appliance = preparing.prepare(request, output)
    running.build(appliance, output)
    try:
        status = running.start(appliance, output)
    except KeyboardInterrupt:
        output.say("\nIt goes on coming up without this command. Where it stands: ./scripts/appliance status")
        raise typer.Exit(130) from None
    running.announce(appliance, status, output)


@command(app, asks=True, alone=True)
def prepare(
    run: Run,
    engine: EngineOption = "auto",
    cpu: OnCpu = False,
) -> None:
    """Install what is missing, make base images, write .env; start nothing."""
    output = run.output
    request = preparing.Request(run.appliance, "cpu" if cpu else engine, starting=False)
    preparing.prepare(request, output)
    output.say("\nPrepared. Next: ./scripts/appliance up")


@command(app, asks=True, alone=True)
def down(
    run: Run,
    volumes: Annotated[bool, typer.Option("--volumes", help=f"Also delete {everything()}.")] = False,
) -> None:
    """Stop the appliance and remove its containers. Keeps what they stored unless --volumes is given."""
    output = run.output
    appliance = run.appliance
    question = f"Delete {everything()} of {appliance.project}?"
    if volumes and not output.confirm_loss(question):
        output.say("Nothing was changed.")
        return
    running.stop(appliance, output, volumes=volumes)


@command(
    app,
    epilog="Exit codes: 0 ready, 5 failed, 6 coming up, 7 not running, 4 the Docker engine does not answer.",
)
def status(
    run: Run,
    as_json: Json = False,
) -> None:
    """Show the containers, the model's stage and the address. Exits 0 only when the appliance is ready."""
    content, code = report(run.appliance)
    run.output.data(json.dumps(content, indent=2) if as_json else table(content))
    raise typer.Exit(code)


@command(app)
def logs(
    run: Run,
    service: Service = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing what comes.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="Lines per container.")] = 100,
) -> None:
    """Show what the services wrote."""
    with contextlib.suppress(KeyboardInterrupt):
        raise typer.Exit(running.follow_logs(run.appliance, service=service, follow=follow, tail=str(tail)))


command(app, epilog="Exit codes: 0 nothing is wrong, 5 something is; then doctor says what to do.")(
    doctor.doctor
)
for function in (
    *(doctor.heal, live.watch, bench.bench),
    *(models.verify, plan.plan, gpu.gpu),
    *(door.usage, door.reload, door.tls, backup.backup),
):
    command(app)(function)
command(app, alone=True)(door.scale)
command(app, "restore", asks=True, alone=True)(backup.restore_command)
command(app, asks=True, alone=True)(uninstall.uninstall)
for function in (release.upgrade, release.rollback):
    command(app, asks=True, alone=True)(function)
command(app, "cost")(cost.cost_command)
app.add_typer(models.app, name="model")
app.add_typer(images.app, name="images")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(service.app, name="service")
