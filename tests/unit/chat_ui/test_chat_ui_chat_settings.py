"""Whatever a client sends, the engine gets values that TGI accepts."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pytest

from chat_ui import messages
from chat_ui.chat_settings import CONTROLS, DEFAULTS, ChatSettings, Number


def test_the_defaults_are_the_articles_but_for_the_length() -> None:
    wanted = {
        "system_prompt": "You are a helpful assistant.",
        "temperature": 0.7,
        "top_p": 0.9,
        "repetition_penalty": 1.15,
    }
    assert wanted.items() <= DEFAULTS.items()
    assert DEFAULTS["max_new_tokens"] == 0
    assert asdict(ChatSettings()) == DEFAULTS


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("language", messages.TEXTS)
def test_every_setting_has_its_texts_in_every_language(name: str, language: str) -> None:
    assert {f"page_{name}", f"page_{name}_info"} <= messages.TEXTS[language].keys()


@pytest.mark.parametrize("name", [name for name, control in CONTROLS.items() if isinstance(control, Number)])
def test_a_sliders_default_is_one_of_its_steps(name: str) -> None:
    number = CONTROLS[name]
    assert isinstance(number, Number)
    assert number.low <= number.default <= number.high
    steps = (number.default - number.low) / number.step
    assert steps == pytest.approx(round(steps))


def test_the_sliders_exclude_what_tgi_rejects() -> None:
    least, most = (
        {name: getattr(control, end) for name, control in CONTROLS.items() if isinstance(control, Number)}
        for end in ("low", "high")
    )
    assert least["temperature"] > 0
    assert 0 < least["top_p"] < most["top_p"] < 1
    assert least["repetition_penalty"] > 0
    assert least["max_new_tokens"] >= 0


def test_an_answer_of_any_length_is_asked_for_by_saying_none() -> None:
    assert "max_new_tokens" not in ChatSettings().parameters(0)
    assert ChatSettings().parameters(7)["max_new_tokens"] == 7


def test_settings_are_known_by_their_names() -> None:
    assert ChatSettings.from_named({"top_p": 0.5, "gone": 1}) == ChatSettings(top_p=0.5)
    assert ChatSettings.from_named(None) == ChatSettings()


@pytest.mark.parametrize(
    "sent", [0, -1, 1e9, -1e9, math.nan, math.inf, -math.inf, None, "0.5", [], {}, True, False]
)
def test_any_value_is_brought_into_what_tgi_accepts(sent: Any) -> None:
    made = ChatSettings.from_browser(*[sent] * len(CONTROLS))
    assert made.temperature > 0
    assert 0 < made.top_p < 1
    assert made.repetition_penalty > 0
    assert isinstance(made.max_new_tokens, int)
    assert 1 <= made.parameters(made.max_new_tokens).get("max_new_tokens", 1) <= 4096


def test_valid_values_are_left_alone() -> None:
    chosen = {"temperature": 1.2, "top_p": 0.5, "max_new_tokens": 64, "repetition_penalty": 1.3}
    sent = {**DEFAULTS, "system_prompt": " Be brief. ", **chosen}
    assert asdict(ChatSettings.from_browser(*sent.values())) == {**sent, "system_prompt": "Be brief."}


def test_what_a_client_leaves_out_has_its_default() -> None:
    assert ChatSettings.from_browser("Be brief.") == ChatSettings("Be brief.")


def test_settings_are_asked_for_in_tgis_words() -> None:
    asked = ChatSettings().parameters(100)
    wanted = {
        "temperature": 0.7,
        "top_p": 0.9,
        "repetition_penalty": 1.15,
        "max_new_tokens": 100,
        "do_sample": True,
        "details": True,
        "return_full_text": False,
    }
    assert wanted.items() <= asked.items()
    assert "system_prompt" not in asked
