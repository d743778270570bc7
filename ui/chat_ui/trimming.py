"""Fits a conversation into the engine's token budget by leaving out its oldest turns.

Tokens are counted by the engine itself (`/chat_tokenize`), because only it knows its tokenizer and chat
template. One call when everything fits; otherwise a bisection over how many turns to leave out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from chat_ui.conversation import Message
from chat_ui.engine import EngineInfo, Prompt
from chat_ui.errors import MessageTooLong

# why: TGI refuses bodies over 2,000,000 bytes (--payload-limit). Nothing near that fits any budget, so the
# oldest messages beyond it go without being counted.
PAYLOAD_BYTES = 1_000_000
# No text has more bytes to a token: four or five in English, nine in scripts of three bytes a letter, more
# where tables are padded with blanks. What is longer does not fit and is not counted: counting is work.
BYTES_A_TOKEN = 32

Tokenize = Callable[[Sequence[dict[str, str]]], Awaitable[Prompt]]


@dataclass(frozen=True)
class Fitted:
    """A prompt within the budget.

    Attributes:
        max_new_tokens: as asked, but at most half of the engine's total.
        left_out, of: how many messages were left out of how many.
    """

    prompt: Prompt
    max_new_tokens: int
    left_out: int
    of: int


async def fit(
    tokenize: Tokenize, info: EngineInfo, messages: Sequence[Message], system_prompt: str, max_new_tokens: int
) -> Fitted:
    """Leave out as few of the oldest turns as it takes for input + max_new_tokens to fit.

    `messages` alternate, beginning and ending with a question (`conversation.for_model`).

    Raises:
        MessageTooLong: the newest question does not fit on its own (with the system prompt).
        EngineError: the engine could not count.
    """
    max_new_tokens = min(max_new_tokens, max(1, info.max_total_tokens // 2))
    limit = min(info.max_input_tokens, info.max_total_tokens - max_new_tokens)
    most_bytes = min(PAYLOAD_BYTES, limit * BYTES_A_TOKEN)
    starts = [i for i, message in enumerate(messages) if message.role == "user"]

    async def prompt_from(turn: int) -> Prompt | None:
        """The prompt without the turns before `turn`; None when it is too large even to be counted."""
        kept = messages[starts[turn] :]
        if sum(len(message.text.encode()) for message in kept) > most_bytes:
            return None
        system = [{"role": "system", "content": system_prompt}] if system_prompt else []
        return await tokenize([*system, *({"role": m.role, "content": m.text} for m in kept)])

    def fits(prompt: Prompt | None) -> TypeGuard[Prompt]:
        return prompt is not None and prompt.tokens <= limit

    last = len(starts) - 1
    best = await prompt_from(0)
    if fits(best):
        return Fitted(best, max_new_tokens, 0, len(messages))
    if last > 0:
        best = await prompt_from(last)
    if not fits(best):
        given = best.tokens if best else max(_estimate(messages[-1].text), limit + 1)
        raise MessageTooLong(given, limit, max_new_tokens)
    # invariant: leaving out `too_few` turns is not enough, leaving out `enough` is, with `best` as the prompt
    too_few, enough = 0, last
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        prompt = await prompt_from(middle)
        if fits(prompt):
            enough, best = middle, prompt
        else:
            too_few = middle
    return Fitted(best, max_new_tokens, starts[enough], len(messages))


def _estimate(text: str) -> int:
    """Tokens of a text too large to be counted: about four bytes each."""
    return len(text.encode()) // 4
