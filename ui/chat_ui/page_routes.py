"""What the page's scripts ask of the replica beside Gradio's queue, and the answers in JSON.

A browser sends `application/json` and `application/octet-stream` to another site only where that site allows
it, which none here does: so a page elsewhere can have nothing done here.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chat_ui import conversation, messages
from chat_ui.answers import Answers
from chat_ui.caller import Caller
from chat_ui.chat import View, left_out
from chat_ui.chat_settings import ChatSettings
from chat_ui.conversation import File, Message
from chat_ui.engine import EngineClient
from chat_ui.errors import EngineError, MessageTooLong
from chat_ui.files import FILES_ROUTE, Files, TooManyFiles
from chat_ui.titles import title_of
from chat_ui.trimming import fit

_NO_STORE = {"Cache-Control": "no-store"}
_AGAIN = {**_NO_STORE, "Retry-After": "5"}


class PageRoutes:
    """Its handlers; `add_to` names their paths, which nginx knows (nginx/routes)."""

    def __init__(self, engine: EngineClient, answers: Answers[View]) -> None:
        self._engine = engine
        self._answers = answers
        self._files = Files()

    def add_to(self, app: FastAPI) -> None:
        """Serve them, before Gradio has its say."""
        app.add_route("/stop", self.stop, methods=["POST"])
        app.add_route("/count", self.count, methods=["POST"])
        app.add_route("/title", self.title, methods=["POST"])
        app.add_route(FILES_ROUTE, self.read_file, methods=["POST"])

    async def stop(self, request: Request) -> Response:
        """End the answer of a conversation, also one whose page has gone away."""
        asked = await _json(request)
        known, turn = (str(asked.get(name, "")) for name in ("conversation", "turn"))
        answer = self._answers.find(Caller.from_headers(request.headers).user, known, turn)
        if answer is not None:
            self._answers.end(answer)
        return JSONResponse({"stopped": answer is not None}, headers=_NO_STORE)

    async def count(self, request: Request) -> Response:
        """How much of the model's context a question would take, and what of it would be left out."""
        asked = await _json(request)
        said = conversation.for_model(conversation.parse(asked.get("messages")))
        if not said or said[-1].role != "user":
            said.append(Message("user", "?"))
        settings = ChatSettings.from_named(asked.get("settings"))
        caller = Caller.from_headers(request.headers)
        language = messages.language_of(request.headers.get("accept-language"))
        try:
            info = await self._engine.info(caller)
            tokenize = partial(self._engine.chat_prompt, caller=caller)
            fitted = await fit(tokenize, info, said, settings.system_prompt, settings.max_new_tokens)
        except MessageTooLong as error:
            too_long = messages.text(language, "notice_too_long", **vars(error))
            found = {"used": error.given, "of": info.max_total_tokens, "left_out": too_long}
            return JSONResponse(found, headers=_NO_STORE)
        except EngineError:
            return JSONResponse({}, 503, _AGAIN)
        found = {
            "used": fitted.prompt.tokens,
            "of": info.max_total_tokens,
            "left_out": left_out(fitted, language),
        }
        return JSONResponse(found, headers=_NO_STORE)

    async def title(self, request: Request) -> Response:
        """A title for a conversation, by the model; empty where it has none to give."""
        said = conversation.parse((await _json(request)).get("messages"))
        try:
            title = await title_of(self._engine, said, Caller.from_headers(request.headers))
        except EngineError:
            return JSONResponse({}, 503, _AGAIN)
        return JSONResponse({"title": title}, headers=_NO_STORE)

    async def read_file(self, request: Request) -> Response:
        """The text of a file that a person attaches, and how many tokens that is, if the engine says so."""
        if not _is(request, "application/octet-stream"):
            return JSONResponse({"error": "unknown"}, 415, _NO_STORE)
        try:
            said = await self._files.text_of(request)
        except TooManyFiles:
            return JSONResponse({"error": "busy"}, 503, _AGAIN)
        if "error" in said:
            return JSONResponse(said, 422, _NO_STORE)
        content = Message("user", "", (File("file", said["text"]),)).with_files()
        try:
            caller = Caller.from_headers(request.headers)
            tokens = (await self._engine.chat_prompt([{"role": "user", "content": content}], caller)).tokens
        except EngineError:
            tokens = None
        return JSONResponse({**said, "tokens": tokens}, headers=_NO_STORE)


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
