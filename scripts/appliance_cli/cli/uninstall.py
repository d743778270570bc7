"""The command ``uninstall``."""

import json
from typing import Annotated

import typer

from appliance_cli.base.errors import StepFailed
from appliance_cli.cli.run import Json, Run
from appliance_cli.compose.client import docker_client
from appliance_cli.stack import uninstall as removing


def uninstall(
    run: Run,
    keep_model: Annotated[bool, typer.Option("--keep-model", help="Leave the downloaded models.")] = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Leave settings, keys, users, usage and the graphs' history.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show everything of this appliance on this host with its size, ask, and remove it."""
    appliance, output, client = run.appliance, run.output, docker_client(timeout=300)
    with output.step("Looking"):
        found = removing.find(appliance, client, keep_model=keep_model, keep_data=keep_data)
    if not as_json:
        output.data(removing.shown(found))
    for each in found.stays:
        output.say(f"  Stays: {each}")
    if not output.confirm_loss(f"Remove all that is listed of {appliance.project}?"):
        output.say("Nothing was changed.")
        return
    left = removing.remove(appliance, client, found, output)
    if as_json:
        gone = [{"kind": each.kind, "name": each.name, "size": each.size} for each in found.goes]
        output.data(json.dumps({"removed": gone, "left": left, "stays": found.stays}, indent=2))
    if left:
        raise StepFailed(
            "Not everything could be removed",
            expected="Docker to let go of it",
            found=f"{len(left)} are left, for the reasons above",
            remedy="put that right and run this again",
            details=tuple(left),
        )
    output.say(f"\n{appliance.project} is removed.")
