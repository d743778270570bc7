"""An engine that says what it is told to: `python3 echo_engine.py PORT`, in a container in the engine's
place.

The answer is the last message itself, but for its first line when that is a number: so many tokens a second.
It speaks TGI's contract as far as the chat page does (tests/unit/chat_ui/fake_engine.py).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1]))
from unit.chat_ui.fake_engine import FakeEngine

ROOM = 1_000_000  # tokens
_LAST = re.compile(r"(?s).*?(?:\A|\n)user: (?!.*\nuser: )(?:(\d+)\n)?(.*)")


@dataclass
class EchoEngine(FakeEngine):
    """One answer at a time."""

    max_input_tokens: int = ROOM
    max_total_tokens: int = 2 * ROOM

    async def _generate_stream(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = json.loads(await request.read())
        found = _LAST.fullmatch(body["inputs"])
        assert found is not None
        rate, said = found.groups()
        self.delay = 1 / int(rate) if rate else 0.0
        self.answer = re.findall(r"\s*\S{1,8}|\s+", said)
        return await super()._generate_stream(request)


async def _without_grammars(_: web.Request) -> web.Response:
    """To openai-api, which has every engine prepare one before it calls it ready."""
    return web.json_response({"error": "grammar is not supported", "error_type": "validation"}, status=422)


async def _serve(port: int) -> None:
    app = EchoEngine().app()
    app.router.add_post("/generate", _without_grammars)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
