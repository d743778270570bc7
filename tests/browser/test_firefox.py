"""The main paths in Firefox (Debian's, driven over WebDriver BiDi), in both languages."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from harness.stack import REPO, Stack

LANGUAGES = REPO / "ui/chat_ui/languages"
SCRIPT = REPO / "tests/javascript/firefox.mjs"


@pytest.fixture(scope="module", params=["en", "zh-CN"])
def tag(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def texts(tag: str) -> dict[str, str]:
    """What the page says in this language."""
    found: dict[str, str] = json.loads((LANGUAGES / f"{tag}.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def visit(echoing: Stack, tag: str) -> Mapping[str, Any]:
    """One person's visit, in the order of the script's steps: what each of them saw."""
    firefox = shutil.which("firefox-esr")
    assert firefox, "no firefox-esr: ./scripts/test installs it"
    node = shutil.which("node", path=str(REPO / ".venv/test/bin")) or "node"
    command = [node, str(SCRIPT), firefox, echoing.url, tag, str(LANGUAGES / f"{tag}.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_page_speaks_the_browsers_language(
    visit: Mapping[str, Any], tag: str, texts: dict[str, str]
) -> None:
    seen = visit["arrived"]
    assert (seen["language"], seen["asks"]) == (tag, texts["page_message_placeholder"])
    assert {texts[key] for key in ("page_send", "page_new_chat", "page_settings")} <= set(seen["labels"])


def test_an_answer_is_seen_to_grow(visit: Mapping[str, Any]) -> None:
    seen = visit["streamed"]
    assert seen["later"].startswith(seen["early"])
    assert len(seen["later"]) > len(seen["early"])
    assert seen["whole"]


def test_markdown_is_shown_as_its_writer_meant_it(visit: Mapping[str, Any]) -> None:
    seen = visit["rendered"]
    assert (seen["strong"], seen["code"], seen["cells"]) == (["注意："], ["python"], ["1", "2"])
    assert seen["templates"] == 0
    assert seen["text"].endswith("<template> List<T>")


def test_a_reload_keeps_the_conversation(visit: Mapping[str, Any]) -> None:
    seen = visit["reloaded"]
    assert seen["after"] == seen["before"]
    assert len(seen["after"][0]) == 2


def test_an_answer_goes_on_through_a_reload(visit: Mapping[str, Any]) -> None:
    assert visit["reloadedMeanwhile"] == {"whole": True, "answers": 3}


def test_stop_ends_an_answer(visit: Mapping[str, Any]) -> None:
    assert visit["stopped"] == {"ended": False, "told": True}


def test_the_list_opens_and_leads_back_to_a_conversation(visit: Mapping[str, Any]) -> None:
    seen = visit["listed"]
    assert seen["closed"]
    assert len(seen["titles"]) == 1
    assert seen["titles"][0]
    assert seen["questions"] == 4


def test_escape_closes_the_settings(visit: Mapping[str, Any], texts: dict[str, str]) -> None:
    assert visit["settings"] == {"open": False, "focused": texts["page_settings"]}


def test_nothing_fails_and_nothing_is_asked_for_elsewhere(visit: Mapping[str, Any]) -> None:
    assert (visit["errors"], visit["elsewhere"]) == ([], [])
