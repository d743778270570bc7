"""What a person wrote and was told is kept: through a reload, beside other conversations, in versions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from harness.documents import docx, paragraph, pdf
from harness.person import Person
from harness.stack import Stack
from harness.waiting import wait_until

SLOW = 30  # tokens a second
HELD_STORAGE = """
window.held = true;
const open = IDBFactory.prototype.open;
IDBFactory.prototype.open = function (...given) {
  const request = open.apply(this, given);
  const late = { get result() { return request.result; } };
  request.onupgradeneeded = () => late.onupgradeneeded();
  request.onsuccess = async () => {
    window.opened = true;
    while (window.held) await new Promise((next) => setTimeout(next, 20));
    late.onsuccess();
  };
  return late;
};
"""
"""The browser takes until `window.held` is false to open its database."""
TYPES_ON = """() => {
  const box = document.querySelector("#ask textarea");
  window.typing = setInterval(() => {
    box.value += "x";
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }, 50);
}"""
LONG = " ".join(f"word{n}" for n in range(200))
SHORT = "A short answer."


@pytest.fixture
def keeper(echoing: Stack, arrive: Callable[..., Person]) -> Person:
    """Somebody whose engine says what it is told to."""
    return arrive()


def has_said(person: Person, text: str, rate: int = 0) -> None:
    """The engine has said it, to its end."""
    say(person, text, rate)
    expect(person.answers.last).to_have_text(text, use_inner_text=True)
    person.finishes()


def say(person: Person, text: str, rate: int = 0) -> None:
    person.message.fill(f"{rate}\n{text}" if rate else text)
    person.send.click()
    expect(person.questions.last).to_contain_text(text)


def library(page: Page) -> Locator:
    page.get_by_role("button", name="Conversations", exact=True).click()
    return page.get_by_role("complementary", name="Conversations")


def titles(listed: Locator) -> Locator:
    return listed.locator(".library-title")


def do(listed: Locator, title: str, what: str) -> None:
    row = listed.get_by_role("listitem").filter(has_text=title)
    row.locator("summary").click()
    row.get_by_role("button", name=what, exact=True).click()


def test_an_answer_goes_on_through_a_reload(keeper: Person) -> None:
    say(keeper, LONG, SLOW)
    expect(keeper.answers.last).to_contain_text("word10 ")
    keeper.page.reload()
    expect(keeper.stop).to_be_visible()
    expect(keeper.answers.last).to_have_text(LONG, use_inner_text=True)
    keeper.finishes()
    expect(keeper.answers).to_have_count(1)
    expect(keeper.conversation).not_to_contain_text("connection was lost")


def test_an_answer_that_was_taken_up_is_stopped_and_goes_on(keeper: Person) -> None:
    say(keeper, LONG, SLOW)
    expect(keeper.answers.last).to_contain_text("word10 ")
    keeper.page.reload()
    expect(keeper.stop).to_be_visible()
    keeper.stop.click()
    expect(keeper.conversation).to_contain_text("You stopped this answer.")
    keeper.page.reload()
    expect(keeper.conversation).to_contain_text("You stopped this answer.")
    keeper.finishes()
    keeper.conversation.get_by_role("button", name="Continue", exact=True).click()
    expect(keeper.conversation).not_to_contain_text("You stopped this answer.")
    expect(keeper.stop).to_be_visible()
    expect(keeper.answers).to_have_count(1)
    expect(keeper.answers.last).to_contain_text("word10 ")
    keeper.stop.click()


def test_conversations_are_found_opened_and_named(keeper: Person, tmp_path: Path) -> None:
    page = keeper.page
    has_said(keeper, "All about whales.")
    keeper.message.fill("half a ques")
    keeper.new_chat.click()
    expect(keeper.questions).to_have_count(0)
    expect(keeper.message).to_have_value("")
    has_said(keeper, "All about trains.")

    listed = library(page)
    expect(titles(listed)).to_have_count(2)
    listed.get_by_role("searchbox").fill("WHALES")
    expect(titles(listed)).to_have_count(1)
    listed.locator(".library-open").click()
    expect(keeper.questions).to_have_text(["All about whales."])
    expect(keeper.message).to_have_value("half a ques")

    listed = library(page)
    listed.get_by_role("searchbox").fill("")
    do(listed, "whales", "Rename")
    page.keyboard.type("Moby")
    page.keyboard.press("Enter")
    expect(titles(listed)).to_have_text(["All about trains", "Moby"])
    do(listed, "Moby", "Pin")
    expect(titles(listed)).to_have_text(["★ Moby", "All about trains"])
    expect(listed.get_by_role("listitem").filter(has_text="Moby").locator("summary")).to_be_focused()

    do(listed, "trains", "Delete")
    expect(titles(listed)).to_have_text(["★ Moby"])
    expect(listed.get_by_role("button", name="Undo")).to_be_focused()
    listed.get_by_role("button", name="Undo").click()
    expect(titles(listed)).to_have_text(["★ Moby", "All about trains"])

    with page.expect_download() as download:
        listed.get_by_role("button", name="Export all").click()
    exported = tmp_path / "all.json"
    download.value.save_as(exported)
    texts = {
        message["text"]
        for one in json.loads(exported.read_text())["conversations"]
        for message in one["messages"]
    }
    assert texts == {"All about whales.", "All about trains."}
    do(listed, "trains", "Delete")
    do(listed, "Moby", "Delete")
    expect(keeper.questions).to_have_count(0)
    page.get_by_label("Import", exact=True).set_input_files(exported)
    expect(titles(listed)).to_have_text(["★ Moby", "All about trains"])
    with page.expect_download() as download:
        do(listed, "Moby", "Export as Markdown")
    download.value.save_as(tmp_path / "moby.md")
    assert (tmp_path / "moby.md").read_text() == (
        "# Moby\n\n## Question\n\nAll about whales.\n\n## Answer\n\nAll about whales.\n"
    )
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    page.reload()
    expect(titles(library(page))).to_have_text(["★ Moby", "All about trains"])


def test_two_tabs_lose_nothing_of_each_other(keeper: Person) -> None:
    has_said(keeper, "First.")
    there = Person(keeper.page.context.new_page())
    there.page.goto(keeper.page.url)
    expect(there.questions).to_have_text(["First."])
    has_said(keeper, "Here.")
    expect(there.questions).to_have_text(["First.", "Here."])
    has_said(there, "There.")
    expect(keeper.questions).to_have_text(["First.", "Here.", "There."])
    there.new_chat.click()
    has_said(there, "Elsewhere.")
    expect(keeper.questions).to_have_count(3)
    expect(titles(library(keeper.page))).to_have_count(2)


def test_what_another_tab_said_while_somebody_typed_is_not_lost(keeper: Person) -> None:
    has_said(keeper, "First.")
    there = Person(keeper.page.context.new_page())
    there.page.goto(keeper.page.url)
    expect(there.questions).to_have_text(["First."])
    keeper.page.evaluate(TYPES_ON)
    has_said(there, "There.")
    # it is kept: another page has it
    expect(titles(library(there.page))).to_have_text(["First"])
    expect(there.questions).to_have_text(["First.", "There."])
    there.page.reload()
    expect(there.questions).to_have_text(["First.", "There."])
    keeper.page.evaluate("clearInterval(window.typing)")
    expect(keeper.questions).to_have_text(["First.", "There."])
    expect(keeper.message).to_have_value(re.compile("^x+$"))
    has_said(keeper, "Here.")
    expect(there.questions).to_have_text(["First.", "There.", "Here."])


def test_a_question_stays_in_its_conversation(keeper: Person) -> None:
    """Sent while the first one's title is being written, and left at once."""
    held: list[Route] = []
    keeper.page.route("**/title", lambda route: held.append(route))
    has_said(keeper, "First.")
    wait_until(lambda: keeper.page.title() and held, "the title is asked for")
    keeper.message.fill("Second.")
    keeper.send.click()
    keeper.new_chat.click()
    expect(keeper.questions).to_have_count(0)
    held[0].continue_()
    has_said(keeper, "Third.")
    expect(keeper.questions).to_have_text(["Third."])


def test_a_name_that_was_given_stays_and_what_was_deleted_stays_away(keeper: Person) -> None:
    say(keeper, LONG, SLOW)
    listed = library(keeper.page)
    do(listed, "30", "Rename")
    keeper.page.keyboard.type("Mine")
    keeper.page.keyboard.press("Enter")
    expect(titles(listed)).to_have_text(["Mine"])
    keeper.page.keyboard.press("Escape")
    keeper.stop.click()
    expect(keeper.conversation).to_contain_text("You stopped this answer.")
    keeper.retry.click()
    keeper.sees_growth()
    listed = library(keeper.page)
    expect(titles(listed)).to_have_text(["Mine"])
    do(listed, "Mine", "Delete")
    expect(keeper.questions).to_have_count(0)
    has_said(keeper, SHORT)
    expect(titles(listed)).to_have_text(["A short answer"])


def test_settings_are_kept_whoever_types_while_the_page_is_made(keeper: Person) -> None:
    keeper.choose("Max new tokens", "123")
    keeper.page.add_init_script(HELD_STORAGE)
    keeper.page.reload()
    keeper.page.wait_for_function("window.opened")
    keeper.message.press_sequentially("half a ques")
    keeper.page.wait_for_function("window.chatStorage.inputs().draft === 'half a ques'")
    keeper.page.evaluate("window.held = false")
    expect(keeper.page.get_by_role("heading", name="What can I help with?")).to_be_visible()
    expect(keeper.message).to_have_value("half a ques")
    expect(keeper.page.get_by_label(re.compile("number input for Max new tokens"))).to_have_value("123")


def test_an_answer_of_which_nothing_more_came_can_still_go_on(
    echoing: Stack, arrive: Callable[..., Person]
) -> None:
    messages = [
        {"id": "0" * 16, "role": "user", "text": "Hello?"},
        {"id": "1" * 16, "role": "assistant", "text": "Hel", "note": "The engine went away."},
    ]
    kept = json.dumps({"user": None, "messages": messages, "draft": "", "settings": {}})
    local = [{"name": "qwen-appliance.chat.1", "value": kept}]
    person = arrive(
        storage_state={"cookies": [], "origins": [{"origin": echoing.url, "localStorage": local}]}
    )
    person.conversation.get_by_role("button", name="Continue", exact=True).click()
    expect(person.answers).to_have_text("HelHello?Hel", use_inner_text=True)


def test_what_was_said_before_is_still_there(keeper: Person) -> None:
    has_said(keeper, "One.")
    has_said(keeper, "Two.")
    first = keeper.conversation.locator(".question").first
    first.get_by_role("button", name="Edit").click()
    first.get_by_role("textbox").fill("Other.")
    first.get_by_role("button", name="Submit").click()
    expect(keeper.answers).to_have_text(["Other."], use_inner_text=True)
    keeper.finishes()
    expect(first.get_by_label("Version 2 of 2")).to_be_visible()
    first.get_by_role("button", name="Previous version").click()
    expect(keeper.answers).to_have_text(["One.", "Two."], use_inner_text=True)
    keeper.retry.click()
    last = keeper.conversation.locator(".answer").last
    expect(last.get_by_label("Version 2 of 2")).to_be_visible()
    keeper.finishes()
    last.get_by_role("button", name="Edit this answer").click()
    last.get_by_role("textbox").fill("My **own** words")
    last.get_by_role("button", name="Submit").click()
    expect(keeper.answers.last).to_have_text("My own words", use_inner_text=True)
    keeper.page.reload()
    expect(keeper.answers).to_have_text(["One.", "My own words"], use_inner_text=True)
    last.get_by_role("button", name="Previous version").click()
    expect(keeper.answers).to_have_text(["One.", "Two."], use_inner_text=True)


def test_what_is_attached_goes_along(keeper: Person) -> None:
    keeper.attach("paper.pdf", pdf("From a page"))
    keeper.attach("letter.docx", docx(paragraph("From Word")))
    chips = keeper.page.locator("#attached .file-chip")
    expect(chips).to_have_text(
        [re.compile(r"paper\.pdf · \d+ tokens"), re.compile(r"letter\.docx · \d+ tokens")]
    )
    expect(keeper.page.locator("#gauge")).to_contain_text(re.compile(r"\d+ of 2,000,000 tokens · files \d+"))
    keeper.page.reload()
    expect(chips).to_have_count(2)
    keeper.page.get_by_role("button", name="Remove letter.docx").click()
    keeper.message.fill("What is it?")
    keeper.send.click()
    expect(keeper.answers.last).to_contain_text("From a page")
    expect(keeper.answers.last).to_contain_text("What is it?")
    expect(keeper.conversation.locator(".question")).to_contain_text("paper.pdf")
    expect(chips).to_have_count(0)
