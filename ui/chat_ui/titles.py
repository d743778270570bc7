"""A title for a conversation: the model writes it, from how the conversation begins."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from chat_ui.caller import Caller
from chat_ui.chat_settings import ChatSettings
from chat_ui.conversation import Message
from chat_ui.engine import Ending, EngineClient

# enough of each message to know what it is about
READ_CHARS = 1500
TITLE_TOKENS = 24
TITLE_CHARS = 60
_ASKED = (
    "Write a title for the conversation below: at most six words, in the conversation's language, without "
    "quotation marks or a full stop. Answer with the title alone.\n"
    "请用对话所使用的语言写标题；对话是中文时，标题不超过十二个字。\n\n"
)
_AROUND = " \t\"'“”‘’「」《》*#.。:："


async def title_of(engine: EngineClient, messages: Sequence[Message], caller: Caller) -> str:
    """A title in a line; empty where the model gave none, or there is nothing to give one to.

    Raises:
        EngineError: the engine did not answer, or has no place for it.
    """
    said = [message for message in messages[:2] if message.text.strip()]
    if not said:
        return ""
    talk = "\n\n".join(f"{message.role}: {message.text[:READ_CHARS]}" for message in said)
    prompt = await engine.chat_prompt([{"role": "user", "content": _ASKED + talk}], caller)
    parameters = ChatSettings(temperature=0.2).parameters(TITLE_TOKENS)
    title = ""
    async with aclosing(engine.generate(prompt.text, parameters, Ending(), caller)) as pieces:
        async for piece in pieces:
            title += piece
    lines = title.strip().splitlines()
    return (
        lines[0].removeprefix("Title").removeprefix("标题").strip(_AROUND)[:TITLE_CHARS].rstrip()
        if lines
        else ""
    )
