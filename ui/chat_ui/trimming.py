"""Fits a conversation into the engine's token budget by leaving out its oldest turns, and ends of files.

Tokens are counted by the engine itself (`/chat_tokenize`), because only it knows its tokenizer and chat
template. One call when everything fits; otherwise a bisection over how many turns to leave out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
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


# What is kept for an answer that may be as long as there is room: the least that it has.
LEAST_ROOM = 1024
# How often it is counted how much fits of files that do not fit whole.
FILE_TRIES = 6


@dataclass(frozen=True)
class Fitted:
    """A prompt within the budget.

    Attributes:
        max_new_tokens: as asked, but at most half of the engine's total; 0 is all that is left.
        left_out, of: how many messages were left out of how many.
        file_characters, file_of: how many characters of the newest question's files are in it, of how many.
    """

    prompt: Prompt
    max_new_tokens: int
    left_out: int
    of: int
    file_characters: int = 0
    file_of: int = 0


async def fit(
    tokenize: Tokenize,
    info: EngineInfo,
    messages: Sequence[Message],
    system_prompt: str,
    max_new_tokens: int,
    begun: str = "",
) -> Fitted:
    """Leave out as few of the oldest turns as it takes for input + max_new_tokens to fit, and of the newest
    question's files as little as it then takes.

    `messages` alternate, beginning and ending with a question (`conversation.for_model`). An answer that has
    `begun` goes on where it is.

    Raises:
        MessageTooLong: the newest question does not fit on its own (with the system prompt).
        EngineError: the engine could not count.
    """
    max_new_tokens = min(max_new_tokens, max(1, info.max_total_tokens // 2))
    kept = max_new_tokens or max(1, min(LEAST_ROOM, info.max_total_tokens // 4))
    limit = min(info.max_input_tokens, info.max_total_tokens - kept)
    starts = [i for i, message in enumerate(messages) if message.role == "user"]
    files = messages[-1].file_characters
    begun_tokens = (await tokenize([{"role": "user", "content": begun}])).tokens if begun else 0

    async def prompt_from(turn: int, characters: int | None = None) -> Prompt | None:
        """The prompt without the turns before `turn`, with so many characters of the newest files; None when
        it is too large even to be counted.
        """
        shown = [(m.role, m.with_files()) for m in messages[starts[turn] : -1]]
        shown.append((messages[-1].role, messages[-1].with_files(characters)))
        if sum(len(text.encode()) for _, text in shown) > min(PAYLOAD_BYTES, limit * BYTES_A_TOKEN):
            return None
        system = [("system", system_prompt)] if system_prompt else []
        prompt = await tokenize([{"role": role, "content": text} for role, text in [*system, *shown]])
        return Prompt(prompt.text + begun, prompt.tokens + begun_tokens)

    def fits(prompt: Prompt | None) -> TypeGuard[Prompt]:
        return prompt is not None and prompt.tokens <= limit

    last = len(starts) - 1
    best = await prompt_from(0)
    if fits(best):
        return Fitted(best, max_new_tokens, 0, len(messages), files, files)
    if last > 0:
        best = await prompt_from(last)
    if not fits(best):
        part = await _part_that_fits(partial(prompt_from, last), limit, files) if files else None
        if part is None:
            given = best.tokens if best else max(_estimate(messages[-1].with_files()), limit + 1)
            raise MessageTooLong(given, limit, kept)
        return Fitted(part[0], max_new_tokens, starts[last], len(messages), part[1], files)
    # invariant: leaving out `too_few` turns is not enough, leaving out `enough` is, with `best` as the prompt
    too_few, enough = 0, last
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        prompt = await prompt_from(middle)
        if fits(prompt):
            enough, best = middle, prompt
        else:
            too_few = middle
    return Fitted(best, max_new_tokens, starts[enough], len(messages), files, files)


async def _part_that_fits(
    prompt_with: Callable[[int], Awaitable[Prompt | None]], limit: int, characters: int
) -> tuple[Prompt, int] | None:
    """About the longest beginning of the files that fits: the prompt with it, and its characters; None when
    the question does not even fit without them.
    """
    best = await prompt_with(0)
    if best is None or best.tokens > limit:
        return None
    enough, too_many = 0, characters
    # a token for every four characters, as in English; what the engine counts then says it better
    guess = 4 * (limit - best.tokens)
    for _ in range(FILE_TRIES):
        if not enough < guess < too_many:
            guess = (enough + too_many) // 2
        prompt = await prompt_with(guess)
        if prompt is not None and prompt.tokens <= limit:
            best, enough = prompt, guess
        else:
            too_many = guess
        guess = guess * limit // max(1, prompt.tokens) if prompt else 0
    return best, enough


def _estimate(text: str) -> int:
    """Tokens of a text too large to be counted: about four bytes each."""
    return len(text.encode()) // 4
