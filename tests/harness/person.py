"""What a person does on the chat page, by the labels that a person sees."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

ANSWERS = "#conversation .answer-text"
LAST_ANSWER = f"([...document.querySelectorAll('{ANSWERS}')].at(-1)?.innerText ?? '').trim()"


class Person:
    """One browser tab with the chat open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.message = page.get_by_placeholder("Ask anything")
        self.send = page.get_by_role("button", name="Send", exact=True)
        self.stop = page.get_by_role("button", name="Stop", exact=True)
        self.retry = page.get_by_role("button", name="Retry", exact=True).last
        self.new_chat = page.get_by_role("button", name="New chat", exact=True)
        self.banner = page.locator("#banner")
        self.conversation = page.locator("#conversation")

    @property
    def answers(self) -> Locator:
        return self.page.locator(ANSWERS)

    @property
    def questions(self) -> Locator:
        return self.conversation.locator(".bubble")

    @property
    def seat(self) -> str:
        """The replica that nginx gave this person: the affinity cookie's value."""
        return next(c["value"] for c in self.page.context.cookies() if c["name"].endswith("_ui_route"))

    def choose(self, setting: str, value: str) -> None:
        """Sets one of the numbers in the settings panel."""
        self.page.get_by_role("button", name="Settings", exact=True).click()
        number = self.page.get_by_label(re.compile(f"number input for {setting}"))
        number.fill(value)
        number.blur()
        self.page.get_by_role("button", name="Close", exact=True).click()

    def ask(self, question: str) -> None:
        self.message.fill(question)
        self.send.click()
        expect(self.questions.last).to_contain_text(question)

    def finishes(self) -> None:
        """Waits until no answer is being written."""
        expect(self.send).to_be_visible()
        expect(self.stop).to_be_hidden()

    def sees_growth(self, characters: int = 40) -> None:
        """Waits until the answer being written has grown by so many characters after its first ones."""
        expect(self.stop).to_be_visible()
        first = self._written()
        self.page.wait_for_function(
            f"(length) => {LAST_ANSWER}.length >= length",
            arg=first + characters,
            timeout=60_000,
        )

    def _written(self) -> int:
        self.page.wait_for_function(
            f"() => {LAST_ANSWER}.length > 0",
            timeout=60_000,
        )
        return len(self.answers.last.inner_text())
