"""Every text that a person reads, and the choice of the language.

A language is a file in `languages/`, named by its tag, with every text that the others have; nothing else has
to know of it. Texts named `page_…` are translated in the browser by its own locale (Gradio's i18n and
`static/`); the others are written by this service, by the request's Accept-Language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

# a tag such as "en" or "zh-CN"
Language = str
FALLBACK: Language = "en"

TEXTS: Mapping[Language, Mapping[str, str]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parent / "languages").glob("*.json"))
}


def text(language: Language, key: str, **values: object) -> str:
    """A text, with its places filled in."""
    return TEXTS[language][key].format(**values)


def again(language: Language, seconds: int | None) -> str:
    """When to try again: in so many seconds, or soon when nobody said."""
    if seconds is None:
        return text(language, "again_soon")
    return text(language, "again_in", time=_duration(language, max(1, seconds)))


def _duration(language: Language, seconds: int) -> str:
    """Seconds in a person's words, in the same steps as the page's banner, rounded up."""
    if seconds < 90:
        return text(language, "page_seconds", n=seconds)
    minutes = -(-seconds // 60)
    if minutes < 90:
        return text(language, "page_minutes", n=minutes)
    return text(language, "page_hours", h=minutes // 60, m=minutes % 60)


def page_texts() -> dict[Language, dict[str, str]]:
    """What is translated in the browser, by language."""
    return {
        language: {key: value for key, value in texts.items() if key.startswith("page_")}
        for language, texts in TEXTS.items()
    }


def language_of(accept_language: str | None) -> Language:
    """The best liked of our languages in an Accept-Language header; English when it names none."""
    best: tuple[float, Language] = (0.0, FALLBACK)
    for item in (accept_language or "").split(","):
        tag, _, parameters = item.strip().partition(";")
        language = _named(tag.strip())
        quality = _quality(parameters)
        if language is not None and quality > best[0]:
            best = (quality, language)
    return best[1]


def _named(tag: str) -> Language | None:
    """The language with this tag, else one with the same beginning: "zh-TW" is better served by "zh-CN"."""
    by_tag = {language.lower(): language for language in TEXTS}
    by_beginning = {language.partition("-")[0]: language for language in reversed(by_tag.values())}
    return by_tag.get(tag.lower()) or by_beginning.get(tag.lower().partition("-")[0])


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
