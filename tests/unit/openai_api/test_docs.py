"""The OpenAPI document and its page say what the table of parameters says, and need no other host."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from openai_api import docs, openapi
from openai_api.parameters import CHAT, COMPLETIONS, Fate, Parameter

DOCUMENT = openapi.document("1.2.3")
REQUESTS = {"ChatRequest": CHAT, "CompletionRequest": COMPLETIONS}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_takes_what_the_table_says(name: str) -> None:
    table: Any = REQUESTS[name]
    schema = DOCUMENT["components"]["schemas"][name]
    taken = {field for field, row in table.items() if row.fate is not Fate.REFUSED or row.neutral}
    assert set(schema["properties"]) == taken
    assert set(schema["required"]) <= taken
    for field, row in table.items():
        if row.fate is Fate.REFUSED and row.neutral:
            assert schema["properties"][field]["enum"] == list(row.neutral)


def test_what_the_document_refers_to_is_in_it() -> None:
    text = json.dumps(DOCUMENT)
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named <= set(DOCUMENT["components"]["schemas"])
    assert DOCUMENT["info"]["version"] == "1.2.3"


@pytest.mark.parametrize(
    ("languages", "tag", "sentence"),
    [
        ("", "en", CHAT["stop"].note),
        ("en-US,zh;q=0.5", "en", CHAT["stop"].note),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", CHAT["stop"].chinese),
    ],
)
def test_the_page_is_in_the_readers_language(languages: str, tag: str, sentence: str) -> None:
    page = docs.page(DOCUMENT, languages)
    assert f'<html lang="{tag}">' in page
    assert sentence in page
    for path in DOCUMENT["paths"]:
        assert f"<code>{path}</code>" in page
    assert not re.search(r"https?://|<script|src=|@import", page)


def test_what_is_shown_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Parameter(Fate.CHANGED, "<script>alert(1)</script>", "<b>")
    monkeypatch.setitem(docs._TABLES, "/v1/completions", {"<i>": odd})
    page = docs.page(DOCUMENT, "")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<i>" not in page
