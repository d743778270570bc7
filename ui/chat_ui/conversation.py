"""A conversation as data: what the browser holds, what the model is shown, and what retry and edit mean.

Pure: no Gradio, no network. The browser's form is Gradio's own message list (role, content parts, metadata),
so that nothing has to be converted on its way to the page. Notes ("older messages were left out") are
messages of their own, marked in the metadata, shown to people and never to the model. A question carries its
conversation's id, also in the metadata, so that it survives wherever the questions do.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Role = Literal["user", "assistant"]
# `complete` is the usual state; an answer is `streaming` while it grows, so that after the loss of a replica
# the page can tell that it is only a part; a note that the question waits is `waiting`, and goes when it ends
State = Literal["complete", "streaming", "note", "waiting"]
_NOTE_ID = "note"
_NOTE_CLASS = "chat-note"
_CONVERSATION_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class Message:
    """One entry of the conversation; `conversation` is its id, on questions."""

    role: Role
    text: str
    state: State = "complete"
    conversation: str = ""


def parse(payload: Any) -> list[Message]:
    """The browser's message list as messages; whatever has another form is left out."""
    if not isinstance(payload, list):
        return []
    return [message for item in payload if (message := _parse_one(item)) is not None]


def _parse_one(item: Any) -> Message | None:
    if not isinstance(item, dict) or item.get("role") not in ("user", "assistant"):
        return None
    content = item.get("content")
    parts = content if isinstance(content, list) else [content]
    text = "".join(_part_text(part) for part in parts)
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    pending = metadata.get("status") == "pending"
    if metadata.get("id") == _NOTE_ID:
        return Message("assistant", _note_text(text), "waiting" if pending else "note")
    state: State = "streaming" if pending else "complete"
    mark = str(metadata.get("id") or "") if item["role"] == "user" else ""
    return Message(item["role"], text, state, mark if _CONVERSATION_ID.fullmatch(mark) else "")


def _part_text(part: Any) -> str:
    value = part.get("text") if isinstance(part, dict) else part
    return value if isinstance(value, str) else ""


def render(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages in the form in which Gradio's Chatbot sends and receives them."""
    return [_render_one(message) for message in messages]


def _render_one(message: Message) -> dict[str, Any]:
    metadata: dict[str, str] = {}
    text = message.text
    if _NOTE_CLASS in html.unescape(text):
        text = text.replace("<", "&lt;")  # nobody but the appliance says something in a note
    if message.state in ("streaming", "waiting"):
        metadata = {"status": "pending"}
    if message.state in ("note", "waiting"):
        metadata["id"] = _NOTE_ID
        text = f'<span class="chat-note">{html.escape(message.text)}</span>'
    elif message.conversation:
        metadata = {"id": message.conversation}
    return {
        "role": message.role,
        "content": [{"type": "text", "text": text}],
        "metadata": metadata,
        "options": None,
    }


def _note_text(rendered: str) -> str:
    inner = rendered.removeprefix('<span class="chat-note">').removesuffix("</span>")
    return html.unescape(inner)


def settled(messages: Sequence[Message]) -> list[Message]:
    """The same with no answer growing or waited for: what is kept of one that was stopped; empty ones go."""
    return [
        replace(message, state="complete") if message.state == "streaming" else message
        for message in messages
        if message.role == "user" or (message.text and message.state != "waiting")
    ]


def ask(messages: Sequence[Message], question: str) -> list[Message]:
    """Add a question at the end: the first one begins a conversation with an id of its own."""
    known = (message.conversation for message in reversed(messages) if message.conversation)
    return [*settled(messages), Message("user", question, conversation=next(known, secrets.token_hex(8)))]


def retry(messages: Sequence[Message]) -> list[Message]:
    """Everything up to the last question, which is to be answered anew; empty when there is none."""
    last = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
    return settled(messages[: last + 1])


def reworded(messages: Sequence[Message], index: int, text: str) -> list[Message]:
    """The same conversation with another text at `index`."""
    return [replace(message, text=text) if i == index else message for i, message in enumerate(messages)]


def edit(messages: Sequence[Message], index: int, text: str) -> list[Message]:
    """Replace the question at `index` and forget what came after it; empty when that can't be done."""
    if not 0 <= index < len(messages) or messages[index].role != "user" or not text.strip():
        return []
    return [*settled(messages[:index]), replace(messages[index], text=text)]


def for_model(messages: Sequence[Message]) -> list[Message]:
    """What the model is shown: no notes, nothing empty, and alternating roles.

    Two questions in a row (the first was stopped before its answer) become one message, since several chat
    templates refuse anything but user, assistant, user.
    """
    merged: list[Message] = []
    for message in messages:
        if message.state in ("note", "waiting") or not message.text.strip():
            continue
        if merged and merged[-1].role == message.role:
            merged[-1] = replace(merged[-1], text=f"{merged[-1].text}\n\n{message.text}")
        elif merged or message.role == "user":
            merged.append(Message(message.role, message.text))
    return merged
