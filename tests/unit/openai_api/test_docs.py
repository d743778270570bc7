"""The OpenAPI document and its page say what the table of parameters says, and need no other host."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.stack import REPO
from openai_api import docs, errors, openapi
from openai_api.parameters import CHAT, COMPLETIONS, Fate, Parameter

DOCUMENT = openapi.document("1.2.3")
FILES = ("conf.d/error_bodies.conf", "snippets/refusals.conf")
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


def _codes_of_the_service() -> set[str]:
    """Where an error is made a code is a word beside `code`, or the third argument."""
    found: set[str] = set()
    for file in Path(openapi.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            values: list[ast.expr | None] = []
            if isinstance(node, ast.Call):
                values = [word.value for word in node.keywords if word.arg == "code"]
                if getattr(node.func, "id", "") in vars(errors):
                    values += node.args[2:3]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
                values = [node.value]
            elif isinstance(node, ast.Dict):
                keys = [getattr(key, "value", None) for key in node.keys]
                values = [value for key, value in zip(keys, node.values, strict=True) if key == "code"]
            constants = [value.value for value in values if isinstance(value, ast.Constant)]
            found |= {code for code in constants if isinstance(code, str)}
    return found


def _codes_of_others() -> set[str]:
    """What nginx, and a chat replica for it, answer on /v1."""
    gate = (REPO / "nginx/gate/answers.js").read_text()
    bodies = "".join((REPO / "nginx" / file).read_text() for file in FILES)
    replica = (REPO / "ui/chat_ui/unavailable.py").read_text()
    return {
        *re.findall(r"openai: \['\w+', '(\w+)'\]", gate),
        *re.findall(r'"param":null,"code":"(\w+)"', bodies),
        *re.findall(r'"((?:model|engine)_\w+)"', replica),
    }


@pytest.mark.parametrize("document", ["docs/api.md", "docs/zh/api.md"])
def test_every_code_of_an_error_stands_in_the_documents_table(document: str) -> None:
    rows = re.findall(r"^\| [45]\d\d \| `\w+` \| (.+?) \|", (REPO / document).read_text(), re.M)
    codes = [code for row in rows for code in re.findall(r"`(\w+)`", row)]
    assert sorted(codes) == sorted(_codes_of_the_service() | _codes_of_others())
