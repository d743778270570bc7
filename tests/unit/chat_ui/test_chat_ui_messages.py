"""Every text exists in each language, and the right one is chosen."""

from __future__ import annotations

import re
import string
from typing import get_args

import pytest

from chat_ui import errors, messages
from chat_ui.chat_settings import CONTROLS
from chat_ui.errors import EngineError
from chat_ui.layout import STATIC
from chat_ui.status import Phase

ENGLISH = messages.TEXTS[messages.FALLBACK]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_english_and_chinese_are_there() -> None:
    assert {"en", "zh-CN"} <= messages.TEXTS.keys()


@pytest.mark.parametrize("language", messages.TEXTS)
def test_every_language_has_the_same_texts_with_the_same_places(language: str) -> None:
    texts = messages.TEXTS[language]
    assert texts.keys() == ENGLISH.keys()
    assert all(text.strip() for text in texts.values())
    assert {key: places(text) for key, text in texts.items()} == {
        key: places(text) for key, text in ENGLISH.items()
    }


def test_chinese_is_chinese() -> None:
    chinese = messages.TEXTS["zh-CN"]
    same = {key for key in ENGLISH if not re.search(r"[\u4e00-\u9fff]", chinese[key])}
    assert same - {f"page_{setting}" for setting in CONTROLS} == {"page_progress"}


def test_every_engine_error_has_a_text() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EngineError)
    ]
    assert len(kinds) == 9
    assert all(kind.text_key in ENGLISH for kind in kinds)


def test_the_scripts_use_no_text_that_does_not_exist() -> None:
    used = {
        key
        for script in STATIC.glob("*.js")
        for key in re.findall(r'"(page_\w+)"', script.read_text(encoding="utf-8"))
    }
    assert len(used) > 10
    assert used <= ENGLISH.keys()


@pytest.mark.parametrize("state", [*get_args(Phase), "starting", "downloading", "verifying", "failed"])
def test_every_state_has_a_text_for_the_banner(state: str) -> None:
    assert f"page_state_{state}" in ENGLISH


@pytest.mark.parametrize(
    ("seconds", "english"),
    [
        (None, "Try again in a moment."),
        (0, "Try again in 1 s."),
        (12, "Try again in 12 s."),
        (91, "Try again in 2 min."),
        (5400, "Try again in 1 h 30 min."),
        (86_399, "Try again in 24 h 0 min."),
    ],
)
def test_when_to_try_again_is_told_in_a_persons_words(seconds: int | None, english: str) -> None:
    assert messages.again("en", seconds) == english


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("en;q=0.5, zh;q=0.7", "zh-CN"),
        ("de-DE,de;q=0.9,zh;q=0.3", "zh-CN"),
        ("fr", "en"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense", "en"),
        (";;,,q=", "en"),
    ],
)
def test_the_language_is_the_better_liked_one(
    header: str | None, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "TEXTS", {"en": {}, "zh-CN": {}})
    assert messages.language_of(header) == language


def test_a_tag_of_its_own_goes_before_another_of_the_same_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "TEXTS", {"en": {}, "zh-CN": {}, "zh-TW": {}})
    tags = ["zh-tw,zh-CN;q=0.5", "zh-HK", "zh", "zh-CN"]
    assert [messages.language_of(tag) for tag in tags] == ["zh-TW", "zh-CN", "zh-CN", "zh-CN"]
