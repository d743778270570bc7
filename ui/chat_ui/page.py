"""The page's wiring in Gradio: which event does what.

The browser holds the conversation, sends what belongs to a question with it, and shows what it is told of the
answer (static/conversation.js). Nothing stays here between requests but answers whose page may come back
(`answers.py`). How a question is answered is decided by `chat.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from html import escape
from typing import Any

import gradio as gr

from chat_ui import conversation, gradio_internals, messages, view_files
from chat_ui.answers import Answer, Answers
from chat_ui.caller import Caller
from chat_ui.chat import Chat, View
from chat_ui.chat_settings import DEFAULTS, ChatSettings
from chat_ui.conversation import Question
from chat_ui.layout import I18N, STATIC, TEXTS, Controls, layout, theme
from chat_ui.readers import Readers

# why: Gradio allows 40 running events by default, even asynchronous ones
MAX_STREAMS = 300
# questions beyond those; who comes next is told to ask again
MAX_WAITING = 100
_STYLES = ("gradio_internals.css", "style.css")
# in the order in which they build on each other
_SCRIPTS = (
    "appearance.js",
    "gradio_internals.js",
    "texts.js",
    "parts.js",
    "browser_storage.js",
    "account.js",
    "refusals.js",
    "server.js",
    "attachments.js",
    "gauge.js",
    "database.js",
    "transfer.js",
    "library.js",
    "keeping.js",
    "presets.js",
    "keys.js",
    "conversation.js",
    "banner.js",
)


def build(chat: Chat, secret: str, readers: Readers, answers: Answers[View]) -> gr.Blocks:
    """The whole page, ready to be mounted with `mount_options()`."""
    demo = gr.Blocks(title="Qwen Chat", fill_height=True, analytics_enabled=False)
    with demo:
        controls = layout()
        _wire(demo, controls, _Handlers(demo, chat, readers, answers))
    gradio_internals.identify(demo, app_id(secret))
    gradio_internals.start_queue(demo, MAX_STREAMS, MAX_WAITING)
    return demo


def mount_options() -> dict[str, Any]:
    """The arguments of `gr.mount_gradio_app` that belong to the page."""
    view = view_files.address("main.js")
    known = {"texts": TEXTS, "settings": DEFAULTS, "view": view}
    scripts = [
        f"window.CHAT = {json.dumps(known, ensure_ascii=False)};".replace("<", "\\u003c"),
        *((STATIC / name).read_text(encoding="utf-8") for name in _SCRIPTS),
    ]
    return {
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "show_error": False,
        "pwa": False,
        "mcp_server": False,
        "ssr_mode": False,
        "max_file_size": 1,
        "i18n": I18N,
        "theme": theme(),
        "css_paths": [STATIC / name for name in _STYLES],
        "favicon_path": str(STATIC / "icon.svg"),
        "head": f"<style>{(STATIC / 'gradio_internals_media.css').read_text(encoding='utf-8')}</style>"
        f'<link rel="stylesheet" href="{view_files.address("view.css")}">'
        f'<link rel="modulepreload" href="{view}">'
        + "".join(f"<script>{script}</script>" for script in scripts),
        "app_kwargs": {"docs_url": None, "redoc_url": None, "openapi_url": None},
    }


def app_id(secret: str) -> int:
    """Gradio's id of the app, equal on replicas that share the secret; 52 bits, exact in JavaScript."""
    return int.from_bytes(hashlib.sha256(f"qwen-appliance {secret}".encode()).digest()[:8]) >> 12


def _wire(demo: gr.Blocks, controls: Controls, handlers: _Handlers) -> None:
    c = controls
    # from the browser and to it as it is: Gradio's own conversion has nothing to do here, and costs time
    raw: dict[str, Any] = {"preprocess": False, "postprocess": False, "api_visibility": "private"}
    told = [c.message, c.notice, c.send, c.stop]
    answering = c.view.submit(
        handlers.respond,
        [c.view, *c.settings],
        [c.view, *told],
        concurrency_limit=None,
        trigger_mode="once",
        show_progress="hidden",
        js="(_, ...settings) => [chatPage.question(...settings), ...settings]",
        **raw,
    )
    # from here on nothing asks the server; what follows an answer also follows its cancellation
    local: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    after: dict[str, Any] = {"outputs": told, "js": "() => chatPage.finish()", **local}
    answering.then(None, **after)
    answering.failure(None, **after)
    gr.on([c.message.submit, c.send.click], None, c.message, js="(draft) => chatPage.ask(draft)", **local)
    c.stop.click(None, None, told, js="() => chatPage.stop()", cancels=[answering], **local)
    c.new_chat.click(None, None, told, js="() => chatPage.newChat()", cancels=[answering], **local)
    c.open.click(
        None,
        None,
        [*told, *c.settings],
        js="() => chatPage.opened()",
        cancels=[answering],
        **local,
    )
    c.choose.click(None, None, c.settings, js="() => chatPage.chosen()", **local)
    c.reset.click(None, None, c.settings, js="() => chatPage.defaultSettings()", **local)
    kept = [c.message, *c.settings]
    gr.on(
        [component.change for component in kept],
        None,
        kept,
        None,
        js="(...values) => chatPage.keepInputs(values)",
        **local,
    )
    demo.load(
        None,
        None,
        [*kept, *c.named.values()],
        js=f"() => chatPage.restore({json.dumps([*c.named])})",
        **local,
    ).then(None, js="() => { chatPage.restored(); }", **local)


class _Handlers:
    """The events that need the server."""

    def __init__(self, demo: gr.Blocks, chat: Chat, readers: Readers, answers: Answers[View]) -> None:
        self._demo = demo
        self._chat = chat
        self._readers = readers
        self._answers = answers

    async def respond(
        self, request: gr.Request, payload: Any, *settings: Any
    ) -> AsyncGenerator[list[Any], None]:
        """Answer what the page asks, or go on with what it asked before it went away; yields a value for each
        of the outputs.
        """
        session = request.session_hash or ""
        try:
            async with self._readers.answering(session) as wanted:
                question = conversation.question(payload) if wanted else None
                answer = self._answer(request, question, settings) if question is not None else None
                if question is None or answer is None:
                    yield [gr.skip()] * 5
                    return
                async with aclosing(self._read(session, question, answer)) as updates:
                    async for update in updates:
                        yield update
        finally:
            gradio_internals.forget_session(self._demo, session)
            if self._readers.is_forsaken(session):
                await gradio_internals.drop_answers(self._demo, session)

    def _answer(
        self, request: gr.Request, question: Question, settings: Sequence[Any]
    ) -> Answer[View] | None:
        """The answer that is written from now on, or was already; None where it no longer is."""
        caller = Caller.from_headers(request.headers)
        if question.kind == "resumed":
            return self._answers.find(caller.user, question.conversation, question.turn)
        chosen = ChatSettings.from_browser(*settings)
        language = messages.language_of(request.headers.get("accept-language"))
        views = self._chat.answer(question, chosen, language, caller)
        # one without an id is nobody else's, either
        known = question.conversation or secrets.token_hex(8)
        return self._answers.begin(caller.user, known, question.turn, views)

    async def _read(
        self, session: str, question: Question, answer: Answer[View]
    ) -> AsyncGenerator[list[Any], None]:
        """An answer goes on being written when its reader goes away, and ends when he stops it."""
        first = True
        try:
            async with aclosing(self._answers.read(answer)) as views:
                async for view in views:
                    yield _updates(question, view, first)
                    first = False
        except asyncio.CancelledError:
            if self._readers.has(session):
                self._answers.end(answer)
            raise


def _updates(question: Question, view: View, first: bool) -> list[Any]:
    """A view as values for: view, message, notice, send, stop."""
    shown = view.as_dict(question.turn)
    if view.running and not first:
        return [shown, *[gr.skip()] * 4]
    message, notice = gr.skip(), ""
    if first and question.kind == "typed":
        message = gr.update(value="")
    if view.state == "refused":
        notice = f'<p role="alert">{escape(view.note)}</p>'
    return [shown, message, notice, gr.update(visible=not view.running), gr.update(visible=view.running)]
