"""Before a question is sent: what goes with it, what it takes of the context, how it is to be answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from harness.person import Person
from harness.waiting import wait_until

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
TOO_SMALL = """() => [...document.querySelectorAll("button, select, summary")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest("[inert]"))
  .filter((one) => Math.min(one.offsetWidth, one.offsetHeight) < 40).map((one) => one.outerHTML)"""


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en-US", "“a.pdf” is not what its name says."), ("zh-CN", "“a.pdf”的内容与文件名不符。")],
)
def test_a_file_that_cannot_be_read_says_why(arrive: Callable[..., Person], locale: str, said: str) -> None:
    person = arrive(locale)
    person.attach("a.pdf", b"no pages")
    expect(person.page.locator("#attached")).to_contain_text(said)


def test_what_does_not_fit_is_said_before_it_is_sent(person: Person) -> None:
    person.attach("book.txt", b"word " * 20_000)
    person.message.fill("What is it about?")
    expect(person.page.locator("#gauge")).to_contain_text(
        re.compile(r"Of what is attached, the first \d+ of 99999 characters fit")
    )


def test_how_much_can_be_attached_is_said(person: Person) -> None:
    page = person.page
    held: list[Route] = []
    page.route("**/files", lambda route: held.append(route))
    page.route("**/count", lambda route: route.fulfill(status=413, json={}))
    chips = page.locator("#attached .file-chip")

    def come(size: int) -> None:
        for route in held:
            route.fulfill(json={"text": "a" * size, "cut": False, "tokens": size})
        held.clear()

    person.attach("large.txt", b"a")
    person.message.fill("What is it?")
    person.send.click()
    notice = page.locator("#refused")
    expect(notice).to_contain_text("A file is still being read.")
    wait_until(lambda: page.title() and held, "the file goes up")
    come(500_000)
    expect(notice).to_be_hidden()
    expect(page.locator("#gauge")).to_contain_text("The conversation is too large")
    person.attach("larger.txt", b"a")
    expect(chips).to_have_count(2)
    wait_until(lambda: page.title() and held, "the file goes up")
    come(500_000)
    expect(chips.last).to_contain_text("more would be attached than a question can carry")
    page.get_by_role("button", name="Remove larger.txt").click()
    for number in range(10):
        person.attach(f"{number}.txt", b"a")
    expect(chips).to_have_count(11)
    expect(chips.nth(9)).to_contain_text("being read")
    expect(chips.last).to_contain_text("“9.txt” is one too many")
    expect(person.questions).to_have_count(0)


def test_settings_have_presets_and_names(person: Person) -> None:
    page = person.page
    settings = page.get_by_role("button", name="Settings", exact=True)
    settings.click()
    number = page.get_by_label(re.compile("number input for Temperature"))
    prompt = page.get_by_label("System prompt")
    presets = page.get_by_label("Presets")
    presets.select_option(label="Translator, Chinese ↔ English")
    expect(prompt).to_have_value(re.compile("You are a translator"))
    number.fill("1.3")
    number.blur()
    page.get_by_label("Name for these settings").fill("Wild")
    page.get_by_role("button", name="Save", exact=True).click()
    presets.select_option(label="Assistant")
    expect(number).to_have_value("0.7")
    presets.select_option(label="Wild")
    expect(number).to_have_value("1.3")
    expect(prompt).to_have_value(re.compile("You are a translator"))
    number.fill("")
    number.blur()
    expect(number).to_have_value("0.7")

    expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator("#settings")).to_have_attribute("inert", "")
    expect(settings).to_be_focused()


def test_theme_and_language_are_chosen_on_the_page(person: Person) -> None:
    page = person.page
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_label("Theme", exact=True).select_option(label="Dark")
    expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b"))
    page.get_by_label("Language", exact=True).select_option(label="简体中文")
    message = page.get_by_placeholder("输入你的问题")
    expect(message).to_be_visible()
    expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b"))
    message.fill("word " * 6000)
    page.get_by_role("button", name="发送", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="消息太长")).to_be_visible()


def test_on_a_phone_a_button_sends(arrive: Callable[..., Person]) -> None:
    options: dict[str, Any] = PHONE
    person = arrive(**options)
    person.message.press_sequentially("one")
    person.message.press("Enter")
    person.message.press_sequentially("two")
    expect(person.message).to_have_value("one\ntwo")
    expect(person.questions).to_have_count(0)
    assert person.page.evaluate(TOO_SMALL) == []
    assert (
        person.page.evaluate("parseFloat(getComputedStyle(document.querySelector('#ask textarea')).fontSize)")
        >= 16
    )


def test_a_line_that_hangs_is_noticed(person: Person) -> None:
    expect(person.page.locator("#model-state")).to_contain_text("Ready")
    for address in ("**/status", "**/gradio_api/**"):
        person.page.route(address, lambda route: None)  # neither answered nor refused
    person.message.fill("Hello?")
    person.send.click()
    expect(person.banner).to_contain_text("The server can't be reached")
