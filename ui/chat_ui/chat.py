"""One answer from question to last word, as a series of views for the page.

Joins the conversation, the trimming and the engine, and turns every failure into a text in the person's
language. It holds nothing between calls and knows nothing of Gradio.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

from chat_ui.caller import Caller
from chat_ui.chat_settings import ChatSettings
from chat_ui.conversation import Question, for_model
from chat_ui.engine import Ending, EngineClient
from chat_ui.errors import EngineBusy, EngineError, EngineUnavailable, MessageTooLong
from chat_ui.messages import Language, again, text
from chat_ui.patience import Patience
from chat_ui.pump import coalesce
from chat_ui.trimming import Fitted, fit

log = logging.getLogger(__name__)

_PREPARING = ("starting", "downloading", "verifying", "loading")


@dataclass(frozen=True)
class Figures:
    """What an answer took: tokens, and seconds from the question to its first word and on to its last.

    `ended` is the engine's reason, or "cut" for an answer of which the rest never came; empty while it grows.
    """

    tokens_in: int
    tokens_out: int
    first_s: float
    seconds: float
    ended: str = ""


# An answer waits for a place at the engine, is being written, is over, or the question was refused
State = Literal["waiting", "writing", "done", "refused"]


@dataclass(frozen=True)
class View:
    """All that there is of an answer now.

    Attributes:
        note: what is said under it: why it waits, why there is no more of it, why the question was refused.
        left_out: what is said above it: how much of the conversation the model has not seen.
    """

    text: str = ""
    state: State = "writing"
    note: str = ""
    left_out: str = ""
    figures: Figures | None = None

    @property
    def running(self) -> bool:
        return self.state in ("waiting", "writing")

    def as_dict(self, turn: str) -> dict[str, Any]:
        """As the page takes it, for the turn that asked."""
        return {"turn": turn, **asdict(self)}


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
        """The views of an answer from nothing to its end; the last one is not `running`.

        The engine is asked on behalf of `caller`, and the log names his request where an answer fails.

        Closing the generator closes the connection to the engine. No exception leaves it but for
        cancellation.
        """
        view = View()
        yield view
        caller = replace(caller, conversation=question.conversation or None)
        try:
            async with aclosing(self._answer(question, settings, language, caller)) as views:
                async for view in views:
                    yield view
        except MessageTooLong as error:
            yield View(state="refused", note=text(language, "notice_too_long", **vars(error)))
        except EngineError as error:
            # without its text: an engine's answer may quote what it was asked
            log.warning("no whole answer%s: %s", _request(caller), type(error).__name__)
            yield _cut(view, await self._explain(error, language))
        except Exception:
            log.exception("no whole answer%s", _request(caller))
            yield _cut(view, text(language, "error_internal"))

    async def _answer(
        self, question: Question, settings: ChatSettings, language: Language, caller: Caller
    ) -> AsyncGenerator[View, None]:
        asked_at = time.monotonic()
        info = await self.engine.info(caller)
        tokenize = partial(self.engine.chat_prompt, caller=caller)
        messages = for_model(question.messages)
        fitted = await fit(tokenize, info, messages, settings.system_prompt, settings.max_new_tokens)
        start = View()
        if fitted.left_out:
            start = View(left_out=text(language, "note_left_out", left_out=fitted.left_out, of=fitted.of))
        attempt = partial(self._stream, start, asked_at, fitted, settings, language, caller)
        async with aclosing(self._in_turn(attempt, start, language)) as views:
            async for view in views:
                yield view

    async def _in_turn(
        self, attempt: Callable[[], AsyncGenerator[View, None]], start: View, language: Language
    ) -> AsyncGenerator[View, None]:
        """The views of the answer that an attempt brings, after that of the wait for a place.

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
                yield replace(start, state="waiting", note=text(language, "note_waiting", minutes=minutes))
            await asyncio.sleep(pause)
            waited += pause

    async def _stream(
        self,
        start: View,
        asked_at: float,
        fitted: Fitted,
        settings: ChatSettings,
        language: Language,
        caller: Caller,
    ) -> AsyncGenerator[View, None]:
        ending = Ending()
        parameters = settings.parameters(fitted.max_new_tokens)
        source = self.engine.generate(fitted.prompt.text, parameters, ending, caller)
        view, first_at = start, 0.0
        async with aclosing(coalesce(source)) as chunks:
            async for chunk, tokens in chunks:
                now = time.monotonic()
                first_at = first_at or now
                before = view.figures.tokens_out if view.figures else 0
                view = replace(
                    view,
                    text=view.text + chunk,
                    figures=Figures(
                        fitted.prompt.tokens,
                        before + tokens,
                        round(first_at - asked_at, 2),
                        round(now - first_at, 2),
                    ),
                )
                yield view
        if not view.text.strip():
            yield replace(start, state="done", note=text(language, "note_empty"))
            return
        assert view.figures is not None
        figures = replace(
            view.figures,
            tokens_out=ending.generated_tokens or view.figures.tokens_out,
            ended=ending.finish_reason,
        )
        cut = ending.finish_reason == "length"
        note = text(language, "note_length", tokens=ending.generated_tokens) if cut else ""
        yield replace(view, state="done", note=note, figures=figures)

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


def _cut(view: View, note: str) -> View:
    """What there is of an answer of which no more comes, with a note on why."""
    figures = view.figures and replace(view.figures, ended="cut")
    return replace(view, state="done", note=note, figures=figures)
