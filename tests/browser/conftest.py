"""A person at a real Chromium (Debian's, driven by Playwright), who may only talk to the appliance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from harness.person import Person
from harness.stack import REPO, Stack

IS_WELL = "import urllib.request as u; u.urlopen('http://127.0.0.1:3000/health')"
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Module-scoped: Playwright's own event loop must not outlive its tests."""
    chromium = shutil.which("chromium")
    assert chromium, "no chromium: ./scripts/test installs it"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield running
        running.close()


# A first visit finds a bound kept: the small model may write on for as long as there is room.
BOUNDED = """
const key = "qwen-appliance.chat.1";
if (!localStorage.getItem(key) && !sessionStorage.getItem(key)) {
  localStorage.setItem(key, JSON.stringify({ messages: [], settings: { max_new_tokens: 400 } }));
}
"""


@pytest.fixture
def arrive(browser: Browser, stack: Stack) -> Iterator[Callable[..., Person]]:
    """Opens the page for one more person; afterwards: nobody's browser asked for anything elsewhere."""
    contexts = []
    elsewhere: list[str] = []

    def open_page(locale: str = "en-US", **options: Any) -> Person:
        context = browser.new_context(
            locale=locale, **{"viewport": {"width": 1280, "height": 860}, **options}
        )
        contexts.append(context)
        context.add_init_script(BOUNDED)
        page: Page = context.new_page()
        here = urlsplit(stack.url).netloc
        page.on(
            "request",
            lambda request: (
                elsewhere.append(request.url)
                if urlsplit(request.url).scheme.startswith("http") and urlsplit(request.url).netloc != here
                else None
            ),
        )
        page.goto(stack.url)
        return Person(page)

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == []


@pytest.fixture
def answered(arrive: Callable[..., Person], stack: Stack) -> Callable[..., Person]:
    """Opens the page with a conversation in which these answers were given, each to the same question."""

    def open_with(*answers: str, question: str = "Hello?", locale: str = "en-US", **options: Any) -> Person:
        said = [
            (role, text) for answer in answers for role, text in (("user", question), ("assistant", answer))
        ]
        messages = [
            {"id": f"{place:016x}", "role": role, "text": text} for place, (role, text) in enumerate(said)
        ]
        kept = json.dumps({"user": None, "messages": messages, "draft": "", "settings": {}})
        local = [{"name": "qwen-appliance.chat.1", "value": kept}]
        origins = [{"origin": stack.url, "localStorage": local}]
        person = arrive(locale, storage_state={"cookies": [], "origins": origins}, **options)
        expect(person.answers).to_have_count(len(answers))
        return person

    return open_with


@pytest.fixture
def person(arrive: Callable[..., Person]) -> Person:
    return arrive()


@pytest.fixture(scope="module")
def echoing(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The appliance with the echo in its engine's place."""
    override = tmp_path_factory.mktemp("echo") / "compose.json"
    echo = {
        "image": "qwen-appliance/ui:local",
        "entrypoint": ["python3", "/tests/harness/echo_engine.py"],
        "command": ["3000"],
        "volumes": [f"{REPO}/tests:/tests:ro"],
        "healthcheck": {"test": ["CMD", "python3", "-c", IS_WELL], "interval": "1s"},
        "environment": {"PYTHONDONTWRITEBYTECODE": "1"},
        "stop_grace_period": "1s",
    }
    override.write_text(json.dumps({"services": {"tgi": echo}}))
    files = f"{REPO}/docker-compose.yml:{REPO}/compose.cpu.yml"
    _replace_engine(stack, f"{files}:{override}")
    yield stack
    _replace_engine(stack, files)


def _replace_engine(stack: Stack, files: str) -> None:
    again = ("up", "-d", "--no-deps", "--no-build", "--wait", "tgi")
    stack.compose(*again, env={"COMPOSE_FILE": files})
    stack.wait_ready()
