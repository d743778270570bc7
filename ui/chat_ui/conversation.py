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
# how a question came about: in the message box, by a click on an example, as an edit, once more; or its page
# came back to an answer that was being written; or one that was cut goes on
Kind = Literal["typed", "example", "edited", "retried", "resumed", "continued"]
_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class File:
    """The text of a file that somebody attached."""

    name: str
    text: str


@dataclass(frozen=True)
class Message:
    """What somebody said, and attached."""

    role: Role
    text: str
    files: tuple[File, ...] = ()

    def with_files(self, characters: int | None = None) -> str:
        """As the model reads it: the files, of which so many characters in all, and what was said of them."""
        left, parts = characters, []
        for file in self.files:
            text = file.text if left is None else file.text[:left]
            left = None if left is None else left - len(text)
            if text:
                parts.append(f'<file name="{file.name}">\n{text}\n</file>')
        return "\n\n".join([*parts, self.text] if self.text else parts)

    @property
    def file_characters(self) -> int:
        return sum(len(file.text) for file in self.files)


@dataclass(frozen=True)
class Question:
    """What is to be answered.

    Attributes:
        messages: the conversation, ending with the question.
        turn: what the page knows the answer by; it comes back with each update.
        conversation: the conversation's id; empty when it has none of the right form.
        begun: what there is of an answer that was cut and goes on.
    """

    messages: list[Message]
    turn: str = ""
    conversation: str = ""
    kind: Kind = "typed"
    begun: str = ""


def question(payload: Any) -> Question | None:
    """What a page asks; None where that is nothing."""
    if not isinstance(payload, dict):
        return None
    messages = parse(payload.get("messages"))
    kind: Kind = payload["kind"] if payload.get("kind") in get_args(Kind) else "typed"
    goes_on = kind == "continued" and messages and messages[-1].role == "assistant"
    begun = messages.pop().text if goes_on else ""
    if not messages or messages[-1].role != "user" or not messages[-1].with_files().strip():
        return None
    return Question(messages, _id(payload.get("turn")), _id(payload.get("conversation")), kind, begun)


def _id(value: Any) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def parse(payload: Any) -> list[Message]:
    """The messages of a list; whatever has another form is left out."""
    return [
        Message(item["role"], item["text"], _files(item.get("files")))
        for item in (payload if isinstance(payload, list) else [])
        if isinstance(item, dict) and item.get("role") in get_args(Role) and isinstance(item.get("text"), str)
    ]


def _files(payload: Any) -> tuple[File, ...]:
    return tuple(
        File(item["name"].replace('"', "'"), item["text"])
        for item in (payload if isinstance(payload, list) else [])
        if isinstance(item, dict) and all(isinstance(item.get(name), str) for name in ("name", "text"))
    )


def for_model(messages: Sequence[Message]) -> list[Message]:
    """What the model is shown: nothing empty, and alternating roles.

    Two questions in a row (the first was stopped before its answer) become one message, since several chat
    templates refuse anything but user, assistant, user.
    """
    merged: list[Message] = []
    for message in messages:
        if not message.with_files().strip():
            continue
        if merged and merged[-1].role == message.role:
            former = merged[-1]
            texts = [text for text in (former.text, message.text) if text]
            files = (*former.files, *message.files)
            merged[-1] = replace(former, text="\n\n".join(texts), files=files)
        elif merged or message.role == "user":
            merged.append(message)
    return merged
