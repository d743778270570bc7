"""Whatever a client sends, the engine gets values that TGI accepts."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chat_ui.chat_settings import MAX_NEW_TOKENS, REPETITION_PENALTY, TEMPERATURE, TOP_P, Sampling


def test_the_defaults_are_the_articles() -> None:
    assert Sampling() == Sampling("You are a helpful assistant.", 0.7, 0.9, 512, 1.15)


def test_the_sliders_exclude_what_tgi_rejects() -> None:
    assert TEMPERATURE.low > 0
    assert 0 < TOP_P.low < TOP_P.high < 1
    assert REPETITION_PENALTY.low > 0
    assert MAX_NEW_TOKENS.low >= 1


@pytest.mark.parametrize(
    "sent", [0, -1, 1e9, -1e9, math.nan, math.inf, -math.inf, None, "0.5", [], {}, True, False]
)
def test_any_value_is_brought_into_what_tgi_accepts(sent: Any) -> None:
    made = Sampling.from_browser(sent, sent, sent, sent, sent)
    assert made.temperature > 0
    assert 0 < made.top_p < 1
    assert made.repetition_penalty > 0
    assert isinstance(made.max_new_tokens, int)
    assert 1 <= made.max_new_tokens <= MAX_NEW_TOKENS.high


def test_valid_values_are_left_alone() -> None:
    assert Sampling.from_browser(" Be brief. ", 1.2, 0.5, 64, 1.3) == Sampling("Be brief.", 1.2, 0.5, 64, 1.3)


def test_sampling_is_asked_for_in_tgis_words() -> None:
    assert Sampling().parameters(100) == {
        "temperature": 0.7,
        "top_p": 0.9,
        "repetition_penalty": 1.15,
        "max_new_tokens": 100,
        "do_sample": True,
        "details": True,
        "return_full_text": False,
    }
