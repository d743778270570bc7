"""Somebody who asks the chat, and all that he sees of the answer."""

from __future__ import annotations

from typing import Any

from chat_ui.caller import NOBODY, Caller
from chat_ui.chat import Chat, View
from chat_ui.chat_settings import ChatSettings
from chat_ui.conversation import Message, Question
from chat_ui.engine import EngineClient
from chat_ui.messages import Language
from chat_ui.patience import Patience

HELLO = Message("user", "hello there")
ASKED = Question([HELLO])
PARIS = "The capital is Paris."


NONE = Patience(whole=0)


def chat(
    client: EngineClient, state: str = "ready", phase: str = "loading", patience: Patience = NONE
) -> Chat:
    async def status() -> dict[str, Any]:
        return {"state": state, "engine": {"phase": phase}}

    return Chat(client, status, patience)


async def views(
    made: Chat,
    question: Question = ASKED,
    settings: ChatSettings | None = None,
    language: Language = "en",
    caller: Caller = NOBODY,
) -> list[View]:
    settings = settings or ChatSettings("", max_new_tokens=40)
    return [view async for view in made.answer(question, settings, language, caller)]
