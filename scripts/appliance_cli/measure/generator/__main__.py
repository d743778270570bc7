"""Takes a JSON object a line, answers with one or more:

    {"ask": {"method", "path", "body"}}   → {"answer": {"status", "text"}}
    {"load": {…see load.py…}}             → {"progress": {…}} each second, then {"result": {…}}

The first line says where: {"url", "hosts", "key"}. Ends at the end of its input, whatever runs then.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from typing import Any

from appliance_cli.measure.generator.load import Load, Run
from appliance_cli.measure.generator.wire import Client


def tell(message: dict[str, Any]) -> None:
    """One line to whoever started this."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def serve(settings: dict[str, Any]) -> None:
    """Do what each line says, one after the other."""
    client = Client(settings["url"], settings["hosts"], settings["key"])
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]]()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, json.loads(line))
        os._exit(0)  # why: nobody is there any more to read a result, and a load must not go on unseen

    tell({"ready": {"addresses": client.addresses}})
    threading.Thread(target=read, daemon=True).start()
    while True:
        command = await lines.get()
        try:
            if "load" in command:
                gc.collect()
                gc.disable()  # why: a collection in the middle would be measured as the appliance's delay
                tell({"result": await Run(client, Load(**command["load"]), tell).go()})
                gc.enable()
            else:
                tell({"answer": await client.ask(**command["ask"])})
        except (OSError, EOFError, ValueError, IndexError) as error:
            tell({"failed": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline())))
