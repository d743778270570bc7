"""What the page looks like: components, texts and Gradio's theme. `page.py` makes them do something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from chat_ui import messages
from chat_ui.chat_settings import CONTROLS, Number, Text

STATIC = Path(__file__).parent / "static"
MESSAGE_MAX_CHARS = 200_000
# element ids, by which events and the stylesheet know the components
CONVERSATION = "conversation"

TEXTS = messages.page_texts()
# Gradio takes the texts of the browser's tag, then those of its beginning, then the English ones; labels are
# English for a tag that Gradio does not know
I18N = gr.I18n(**{tag.partition("-")[0]: texts for tag, texts in reversed(TEXTS.items())} | TEXTS)


@dataclass(frozen=True)
class Controls:
    """The components that events read and write; `settings` in the order of `chat_settings.CONTROLS`."""

    view: gr.HTML
    notice: gr.HTML
    message: gr.Textbox
    send: gr.Button
    stop: gr.Button
    new_chat: gr.Button
    reset: gr.Button
    settings: list[gr.Textbox | gr.Slider]


def theme() -> gr.themes.Base:
    """Gradio's default theme in our colour, with the system's own fonts: nothing comes from elsewhere."""
    return gr.themes.Default(
        primary_hue="indigo",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Microsoft YaHei", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    ).set(
        # why: Gradio's own are too pale to be read by everybody
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )


def layout() -> Controls:
    """Build the components inside the current `gr.Blocks`."""
    panel = _settings_panel()
    new_chat = _header()
    gr.HTML('<div id="banner" role="status" aria-live="polite" hidden></div>', elem_id="banner-place")
    view = _conversation()
    notice = gr.HTML("", elem_id="notice")
    gr.HTML('<div id="refused" role="alert" hidden></div>', elem_id="refused-place")
    return Controls(view=view, notice=notice, new_chat=new_chat, **panel, **_question_box())


def _settings_panel() -> dict[str, Any]:
    with gr.Sidebar(position="right", open=False, width=340, elem_id="settings"):
        with gr.Row(elem_id="settings-head"):
            gr.HTML('<h2 id="settings-title"></h2>')
            close = gr.Button(I18N("page_close"), size="sm", scale=0, min_width=70)
        settings = [_setting(name, control) for name, control in CONTROLS.items()]
        reset = gr.Button(I18N("page_reset_settings"), size="sm")
    _toggles_settings(close)
    return {"settings": settings, "reset": reset}


def _setting(name: str, control: Text | Number) -> gr.Textbox | gr.Slider:
    shown: dict[str, Any] = {
        "label": I18N(f"page_{name}"),
        "info": I18N(f"page_{name}_info"),
        "value": control.default,
    }
    if isinstance(control, Text):
        return gr.Textbox(lines=3, max_lines=10, max_length=control.max_chars, **shown)
    return gr.Slider(control.low, control.high, step=control.step, **shown)


def _header() -> gr.Button:
    with gr.Row(elem_id="top"):
        gr.HTML((STATIC / "header.html").read_text(encoding="utf-8"))
        new_chat = gr.Button(I18N("page_new_chat"), size="sm", scale=0, min_width=90)
        _toggles_settings(gr.Button(I18N("page_settings"), size="sm", scale=0, min_width=90))
    return new_chat


def _toggles_settings(button: gr.Button) -> None:
    button.click(None, js="() => chatPage.toggleSettings()", api_visibility="private")


def _conversation() -> gr.HTML:
    """Where the browser shows the conversation. Its value is what the server says of the answer that is being
    written; `submit` is what has the server answer (static/conversation.js).
    """
    return gr.HTML(
        None,
        html_template='<div id="conversation-place"></div>',
        js_on_load=(
            "chatPage.attach(() => trigger('submit'), (hear) => watch('value', () => hear(props.value)))"
        ),
        apply_default_css=False,
        elem_id=CONVERSATION,
    )


def _question_box() -> dict[str, Any]:
    with gr.Row(elem_id="ask"):
        return {
            "message": gr.Textbox(
                label=I18N("page_message"),
                show_label=False,
                container=False,
                placeholder=I18N("page_message_placeholder"),
                lines=1,
                max_lines=8,
                max_length=MESSAGE_MAX_CHARS,
                autofocus=True,
                scale=1,
            ),
            "send": gr.Button(I18N("page_send"), variant="primary", scale=0, min_width=90),
            "stop": gr.Button(I18N("page_stop"), variant="stop", scale=0, min_width=90, visible=False),
        }
