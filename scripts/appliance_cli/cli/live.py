"""``appliance watch``: the running appliance on the terminal, anew every few seconds."""

import contextlib
import json
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from appliance_cli.cli.run import Json, Run
from appliance_cli.compose.client import docker_client
from appliance_cli.stack import live


def watch(
    run: Run,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and end.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.5, max=60, help="Seconds between looks.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Show what the card, the engine and the chat do right now, until Ctrl-C."""
    appliance, client = run.appliance, docker_client()
    console = Console()
    before = live.look(appliance, client)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        screen = None
        if not (once or as_json):
            screen = stack.enter_context(Live(console=console, auto_refresh=False))
        while True:
            time.sleep(every)
            now = live.look(appliance, client)
            content = live.content(before, now)
            if as_json:
                run.output.data(json.dumps(content, indent=2 if once else None))
            elif screen is None:
                console.print(live.view(content, appliance.engine))
            else:
                screen.update(live.view(content, appliance.engine), refresh=True)
            if once:
                return
            before = now
