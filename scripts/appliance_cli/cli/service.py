"""The group ``service``: the systemd timer that runs ``heal``."""

import json

import typer

from appliance_cli.cli.run import Json, Run, command
from appliance_cli.host import service_unit

app = typer.Typer(
    no_args_is_help=True,
    help="Have systemd run `heal` every minute and after each boot: install, remove, status.",
)


@command(app)
def install(run: Run) -> None:
    """Write the systemd timer and start it. Needs root."""
    service_unit.install(run.appliance)
    name = service_unit.name_of(run.appliance)
    run.output.item("ok", f"{name}.timer runs", f"log: journalctl -u {name}")


@command(app)
def remove(run: Run) -> None:
    """Stop the systemd timer and delete it. Needs root."""
    removed = service_unit.remove(run.appliance)
    run.output.item("ok", "Removed" if removed else "There was none")


@command(app)
def status(run: Run, as_json: Json = False) -> None:
    """Show whether the systemd timer is there, and when it ran last."""
    state = service_unit.state(run.appliance)
    text = "\n".join(f"{key:<9} {value}" for key, value in state.items())
    run.output.data(json.dumps(state, indent=2) if as_json else text)
