"""A conversation as data: what a question brings from the browser, and what the model is shown of it.

The browser holds the conversation (`ui/web/src/conversation.js` has its form) and sends with each question
what belongs to it: the messages up to the question, whichever of asking, retrying and editing it was. Notes
and figures stay in the browser. Pure: no Gradio, no network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Role = Literal["user", "assistant"]
# how a question came about: in the message box, by a click on an example, as an edit, or once more
Kind = Literal["typed", "example", "edited", "retried"]
_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class Message:
    """What somebody said."""

    role: Role
    text: str


@dataclass(frozen=True)
class Question:
    """What is to be answered.

    Attributes:
        messages: the conversation, ending with the question.
        turn: what the page knows the answer by; it comes back with each update.
        conversation: the conversation's id; empty when it has none of the right form.
    """

    messages: list[Message]
    turn: str = ""
    conversation: str = ""
    kind: Kind = "typed"


def question(payload: Any) -> Question | None:
    """What a page asks; None where that is nothing."""
    if not isinstance(payload, dict):
        return None
    messages = _messages(payload.get("messages"))
    if not messages or messages[-1].role != "user" or not messages[-1].text.strip():
        return None
    kind: Kind = payload["kind"] if payload.get("kind") in get_args(Kind) else "typed"
    return Question(messages, _id(payload.get("turn")), _id(payload.get("conversation")), kind)


def _id(value: Any) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _messages(payload: Any) -> list[Message]:
    """The messages of a list; whatever has another form is left out."""
    return [
        Message(item["role"], item["text"])
        for item in (payload if isinstance(payload, list) else [])
        if isinstance(item, dict) and item.get("role") in get_args(Role) and isinstance(item.get("text"), str)
    ]


def for_model(messages: Sequence[Message]) -> list[Message]:
    """What the model is shown: nothing empty, and alternating roles.

    Two questions in a row (the first was stopped before its answer) become one message, since several chat
    templates refuse anything but user, assistant, user.
    """
    merged: list[Message] = []
    for message in messages:
        if not message.text.strip():
            continue
        if merged and merged[-1].role == message.role:
            merged[-1] = replace(merged[-1], text=f"{merged[-1].text}\n\n{message.text}")
        elif merged or message.role == "user":
            merged.append(message)
    return merged
