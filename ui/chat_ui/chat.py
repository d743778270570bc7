"""One answer from question to last word, as a series of views for the page.

Joins the conversation, the trimming and the engine, and turns every failure into a text in the person's
language. It holds nothing between calls and knows nothing of Gradio.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from chat_ui.caller import Caller
from chat_ui.chat_settings import ChatSettings
from chat_ui.conversation import Message, for_model, settled
from chat_ui.engine import Ending, EngineClient
from chat_ui.errors import EngineBusy, EngineError, EngineUnavailable, MessageTooLong
from chat_ui.messages import Language, again, text
from chat_ui.patience import Patience
from chat_ui.pump import coalesce
from chat_ui.trimming import Fitted, fit

log = logging.getLogger(__name__)

_PREPARING = ("starting", "downloading", "verifying", "loading")


@dataclass(frozen=True)
class Question:
    """What is to be answered.

    Attributes:
        messages: the conversation, ending with the question.
        otherwise: the conversation to show instead when the question is too long to be asked.
        draft: what to put (back) into the message box in that case; None leaves the box alone.
        typed: whether the question was taken from the message box, which is then emptied.
    """

    messages: list[Message]
    otherwise: list[Message]
    draft: str | None = None
    typed: bool = False


@dataclass(frozen=True)
class View:
    """What the page shows now; a `draft` of None leaves the message box as it is."""

    messages: list[Message]
    running: bool
    draft: str | None = None
    notice: str = ""

    def size(self) -> int:
        """About how many bytes its texts take."""
        return sum(len(message.text) for message in self.messages)


@dataclass(frozen=True)
class Chat:
    """Answers questions. `status` gives the appliance's status document, to explain an engine that is not
    there. A question waits for a full engine as long as `patience` says.
    """

    engine: EngineClient
    status: Callable[[], Awaitable[dict[str, Any]]]
    patience: Patience = field(default_factory=Patience)

    async def answer(
        self, question: Question, settings: ChatSettings, language: Language, caller: Caller
    ) -> AsyncGenerator[View, None]:
        """The views from the question alone to the finished answer; the last one has `running` False.

        The engine is asked on behalf of `caller`, and the log names his request where an answer fails.

        Closing the generator closes the connection to the engine. No exception leaves it but for
        cancellation.
        """
        shown = question.messages
        yield View(shown, True, "" if question.typed else None)
        try:
            caller = replace(caller, conversation=shown[-1].conversation or None)
            info = await self.engine.info(caller)
            asked = for_model(question.messages)
            tokenize = partial(self.engine.chat_prompt, caller=caller)
            fitted = await fit(tokenize, info, asked, settings.system_prompt, settings.max_new_tokens)
            if fitted.left_out:
                note = text(language, "note_left_out", left_out=fitted.left_out, of=fitted.of)
                shown = [*shown, Message("assistant", note, "note")]
            attempt = partial(self._stream, shown, fitted, settings, language, caller)
            async with aclosing(self._in_turn(attempt, shown, language)) as views:
                async for view in views:
                    shown = view.messages
                    yield view
        except MessageTooLong as error:
            yield View(
                question.otherwise, False, question.draft, text(language, "notice_too_long", **vars(error))
            )
        except EngineError as error:
            # without its text: an engine's answer may quote what it was asked
            log.warning("no whole answer%s: %s", _request(caller), type(error).__name__)
            yield View(_ended(shown, await self._explain(error, language)), False)
        except Exception:
            log.exception("no whole answer%s", _request(caller))
            yield View(_ended(shown, text(language, "error_internal")), False)

    async def _in_turn(
        self, attempt: Callable[[], AsyncGenerator[View, None]], before: list[Message], language: Language
    ) -> AsyncGenerator[View, None]:
        """The views of the answer that an attempt brings, after those of the wait for a place.

        Raises EngineBusy when patience ends.
        """
        tries, waited = 0, 0.0
        while True:
            try:
                async with aclosing(attempt()) as views:
                    async for view in views:
                        yield view
                return
            except EngineBusy as busy:
                tries += 1
                pause = self.patience.pause(tries, waited, busy.retry_after)
                if pause is None:
                    raise
            if tries == 1:
                minutes = round(self.patience.whole / 60)
                note = Message("assistant", text(language, "note_waiting", minutes=minutes), "waiting")
                yield View([*before, note], True)
            await asyncio.sleep(pause)
            waited += pause

    async def _stream(
        self,
        before: list[Message],
        fitted: Fitted,
        settings: ChatSettings,
        language: Language,
        caller: Caller,
    ) -> AsyncGenerator[View, None]:
        ending = Ending()
        parameters = settings.parameters(fitted.max_new_tokens)
        source = self.engine.generate(fitted.prompt.text, parameters, ending, caller)
        answer = ""
        async with aclosing(coalesce(source)) as chunks:
            async for chunk in chunks:
                answer += chunk
                yield View([*before, Message("assistant", answer, "streaming")], True)
        if not answer.strip():
            yield View(_ended(before, text(language, "note_empty")), False)
            return
        finished = [*before, Message("assistant", answer)]
        if ending.finish_reason == "length":
            finished = _ended(finished, text(language, "note_length", tokens=ending.generated_tokens))
        yield View(finished, False)

    async def _explain(self, error: EngineError, language: Language) -> str:
        if isinstance(error, EngineUnavailable):
            return _absence(await self.status(), language)
        return text(language, error.text_key, detail=error, again=again(language, error.retry_after))


def _absence(status: dict[str, Any], language: Language) -> str:
    """Why the engine does not answer: its model is prepared, it restarts, is gone, or was just missed."""
    state, phase = status["state"], status["engine"]["phase"]
    if state == "loading" and phase in ("restarting", "gone"):
        return text(language, f"error_{phase}")
    if state in _PREPARING:
        return text(language, "error_preparing", state=text(language, f"state_{state}"))
    return text(language, "error_model_failed" if state == "failed" else "error_unavailable")


def _request(caller: Caller) -> str:
    return f" in request {caller.request_id}" if caller.request_id else ""


def _ended(shown: list[Message], note: str) -> list[Message]:
    """The conversation with what there is of its growing answer, and a note on why there is no more."""
    return [*settled(shown), Message("assistant", note, "note")]
