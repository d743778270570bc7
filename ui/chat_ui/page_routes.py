"""What the page's scripts ask of the replica beside Gradio's queue, and the answers in JSON.

A browser sends `application/json` and `application/octet-stream` to another site only where that site allows
it, which none here does: so a page elsewhere can have nothing done here.
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chat_ui.answers import Answers
from chat_ui.caller import Caller
from chat_ui.chat import View
from chat_ui.files import FILES_ROUTE, Files, TooManyFiles

_NO_STORE = {"Cache-Control": "no-store"}
_AGAIN = {**_NO_STORE, "Retry-After": "5"}


class PageRoutes:
    """Its handlers; `add_to` names their paths, which nginx knows (nginx/routes)."""

    def __init__(self, answers: Answers[View]) -> None:
        self._answers = answers
        self._files = Files()

    def add_to(self, app: FastAPI) -> None:
        """Serve them, before Gradio has its say."""
        app.add_route("/stop", self.stop, methods=["POST"])
        app.add_route(FILES_ROUTE, self.read_file, methods=["POST"])

    async def stop(self, request: Request) -> Response:
        """End the answer of a conversation, also one whose page has gone away."""
        asked = await _json(request)
        owner = Caller.from_headers(request.headers).user
        conversation, turn = (str(asked.get(name, "")) for name in ("conversation", "turn"))
        answer = self._answers.find(owner, conversation, turn)
        if answer is not None:
            self._answers.end(answer)
        return JSONResponse({"stopped": answer is not None}, headers=_NO_STORE)

    async def read_file(self, request: Request) -> Response:
        """The text of a file that a person attaches."""
        if not _is(request, "application/octet-stream"):
            return JSONResponse({"error": "unknown"}, 415, _NO_STORE)
        try:
            said = await self._files.text_of(request)
        except TooManyFiles:
            return JSONResponse({"error": "busy"}, 503, _AGAIN)
        return JSONResponse(said, 422 if "error" in said else 200, _NO_STORE)


def _is(request: Request, kind: str) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == kind


async def _json(request: Request) -> dict[str, Any]:
    """The object that a request brings; empty where it brings none, or does not say that it is one."""
    if not _is(request, "application/json"):
        return {}
    try:
        found = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
