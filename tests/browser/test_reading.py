"""Reading, selecting, copying and stopping while an engine writes that says what it is told to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from harness.person import Person
from harness.stack import Stack
from harness.waiting import wait_until

FAST, SLOW = 120, 40  # tokens a second
PARAGRAPHS = "\n\n".join(
    f"Paragraph {n} has **some** words, `code` and a [link](https://example.org/{n})." for n in range(400)
)
CODE = "```python\nprint('**hello**')\n```"
WITHOUT_CLIPBOARD = """
Object.defineProperty(window, "isSecureContext", { value: false });
Object.defineProperty(navigator, "clipboard", { value: undefined });
"""
"""As over plain http from another machine."""
WATCH = """() => {
  window.touched = new Set();
  window.firstBlocks = [...document.querySelector(".answer:last-child .answer-text").children].slice(0, 3);
  const log = document.querySelector("[role=log]");
  new MutationObserver((changes) => changes.forEach(({ target }) => {
    const element = target.nodeType === 1 ? target : target.parentElement;
    const block = element?.closest(".answer-text > *, article");
    if (!block || block === block.parentElement.lastElementChild) return;
    const growing = block.closest("article:last-child") && block.localName !== "article";
    window.touched.add(growing ? [...block.parentElement.children].indexOf(block) : -1);
  })).observe(log, { childList: true, subtree: true, characterData: true, attributes: true });
}"""


@pytest.fixture
def reader(echoing: Stack, arrive: Callable[..., Person]) -> Person:
    return arrive()


def say(person: Person, text: str, rate: int = SLOW) -> None:
    """Has the engine say it."""
    person.message.fill(f"{rate}\n{text}")
    person.send.click()
    expect(person.questions.last).to_contain_text(text)


def has_said(person: Person, text: str) -> None:
    """The engine has said it, to its end."""
    before = person.questions.count()
    say(person, text)
    figures = person.conversation.locator(".figures")
    expect(figures.nth(before)).to_contain_text("complete")
    person.finishes()


def log_of(page: Page) -> Locator:
    return page.get_by_role("log")


def overflows(person: Person) -> None:
    """Waits until there is something to scroll."""
    log = log_of(person.page)
    wait_until(
        lambda: log.evaluate("(log) => log.scrollHeight > log.clientHeight + 400"), "it can be scrolled"
    )


def distance_to_end(person: Person) -> float:
    return float(log_of(person.page).evaluate("(log) => log.scrollHeight - log.scrollTop - log.clientHeight"))


def view_stays_while_it_writes(person: Person) -> None:
    log = log_of(person.page)
    # where a smooth movement ends
    person.page.wait_for_function(
        """async () => {
          const log = document.querySelector("[role=log]");
          const before = log.scrollTop;
          await new Promise((next) => setTimeout(next, 150));
          return log.scrollTop === before;
        }"""
    )
    place = log.evaluate("(log) => log.scrollTop")
    person.sees_growth(200)
    assert log.evaluate("(log) => log.scrollTop") == place
    assert distance_to_end(person) > 24


def wheel(page: Page) -> None:
    """One notch."""
    log_of(page).hover()
    page.mouse.wheel(0, -100)


def page_up(page: Page) -> None:
    log_of(page).focus()
    page.keyboard.press("PageUp")


def page_up_in_the_message_box(page: Page) -> None:
    page.get_by_placeholder("Ask anything").press("PageUp")


def finger(page: Page) -> None:
    touch = page.context.new_cdp_session(page)
    touch.send("Input.synthesizeScrollGesture", {"x": 600, "y": 400, "yDistance": 120})


def test_the_view_stays_where_its_reader_put_it(echoing: Stack, arrive: Callable[..., Person]) -> None:
    person = arrive(has_touch=True)
    say(person, PARAGRAPHS, FAST)
    overflows(person)
    for goes_up in (wheel, page_up, page_up_in_the_message_box, finger):
        person.sees_growth(100)
        assert distance_to_end(person) < 24, f"before {goes_up.__name__} the end is followed"
        goes_up(person.page)
        view_stays_while_it_writes(person)
        arrow = person.page.get_by_role("button", name="To the end")
        arrow.click()
        expect(arrow).to_be_hidden()
    person.stop.click()
    person.finishes()


def test_a_message_box_that_becomes_smaller_leaves_the_end_in_view(
    echoing: Stack, arrive: Callable[..., Person]
) -> None:
    person = arrive(viewport={"width": 390, "height": 700})
    say(person, PARAGRAPHS, FAST)
    overflows(person)
    for _ in range(3):
        person.message.fill("line\n" * 8)
        person.sees_growth(50)
        person.message.fill("")
        person.sees_growth(100)
        expect(person.page.get_by_role("button", name="To the end")).to_be_hidden()
        assert distance_to_end(person) < 24
    person.stop.click()
    person.finishes()


def test_only_the_end_of_the_last_answer_changes_while_it_grows(reader: Person) -> None:
    has_said(reader, "An earlier answer.")
    say(reader, PARAGRAPHS, FAST)
    reader.sees_growth(400)
    first = reader.answers.last.locator("> *").count()
    reader.page.evaluate(WATCH)
    reader.sees_growth(400)
    touched = reader.page.evaluate("[...window.touched]")
    assert touched
    # nothing of the earlier answer, no block before the last three; what was there is the same still
    assert min(touched) >= first - 3
    assert reader.page.evaluate("window.firstBlocks.every((block) => block.isConnected)")
    reader.stop.click()
    reader.finishes()


def test_what_is_selected_while_it_writes_stays_selected_and_can_be_copied(reader: Person) -> None:
    say(reader, PARAGRAPHS, FAST)
    reader.sees_growth(300)
    growing = reader.answers.last.locator("> p:has(code)").last
    growing.evaluate("(p) => getSelection().setBaseAndExtent(p, 0, p.querySelector('code'), 1)")
    selected = reader.page.evaluate("String(getSelection())")
    assert selected.endswith("has some words, code")
    reader.sees_growth(300)
    assert reader.page.evaluate("String(getSelection())") == selected
    reader.stop.click()
    reader.finishes()


def test_stop_needs_no_server(reader: Person) -> None:
    say(reader, PARAGRAPHS, FAST)
    reader.sees_growth(100)
    held: list[Route] = []
    reader.page.route(re.compile("/(gradio_api/cancel|stop)$"), lambda route: held.append(route))
    reader.stop.click()
    expect(reader.conversation).to_contain_text("You stopped this answer")
    said = reader.answers.last.inner_text()
    expect(reader.send).to_be_visible()
    wait_until(lambda: reader.page.title() and held, "the cancellation is under way")
    assert reader.answers.last.inner_text() == said
    for route in held:
        route.continue_()
    # and the next question is asked and answered
    reader.message.fill(f"{SLOW}\nHere I am.")
    reader.send.click()
    expect(reader.answers.last).to_have_text("Here I am.")
    reader.finishes()
    expect(reader.questions).to_have_count(2)


def test_the_log_is_polite_and_busy_while_it_grows(reader: Person) -> None:
    log = reader.page.get_by_role("log")
    expect(log).to_have_attribute("aria-live", "polite")
    say(reader, PARAGRAPHS)
    reader.sees_growth(10)
    expect(log).to_have_attribute("aria-busy", "true")
    reader.stop.click()
    expect(log).to_have_attribute("aria-busy", "false")


def test_a_question_asked_as_soon_as_the_answer_is_there_is_not_lost(reader: Person) -> None:
    """Gradio is done with an answer a moment after the page has all of it."""
    expect(reader.page.get_by_role("heading", name="What can I help with?")).to_be_visible()
    reader.page.evaluate("""() => {
      const said = chatPage.finish;
      window.early = 0;
      chatPage.finish = (...given) => {
        if (window.early++ === 0) chatPage.ask("40\\nThe second.");
        return said(...given);
      };
    }""")
    say(reader, "The first.")
    expect(reader.answers.last).to_have_text("The second.")
    reader.finishes()
    expect(reader.questions).to_have_count(2)


def test_an_answer_says_what_it_took_and_why_it_ended(reader: Person) -> None:
    has_said(reader, "One two three four five.")
    figures = reader.conversation.locator(".figures")
    expect(figures).to_have_text(
        re.compile(r"first token \d+\.\d s · [\d.]+ tokens/s · \d+ in, 5 out · complete")
    )
    say(reader, PARAGRAPHS)
    reader.sees_growth(100)
    reader.stop.click()
    expect(figures.last).to_contain_text("stopped")
    reader.page.reload()
    expect(figures.last).to_contain_text("stopped")
    expect(figures).to_have_count(2)


@pytest.mark.parametrize("secure", [True, False])
def test_answers_and_code_are_copied_as_they_were_written(
    echoing: Stack, arrive: Callable[..., Person], secure: bool
) -> None:
    person = arrive(permissions=["clipboard-read", "clipboard-write"] if secure else [])
    if not secure:
        person.page.add_init_script(WITHOUT_CLIPBOARD)
        person.page.reload()
    text = f"A **bold** word, $x^2$ and a table:\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n{CODE}\n\n{PARAGRAPHS}"
    say(person, text, 400)
    person.sees_growth(200)
    person.stop.click()
    expect(person.conversation).to_contain_text("You stopped this answer")
    person.conversation.get_by_role("button", name="Copy", exact=True).last.click()
    copied = pasted(person)
    assert "You stopped" not in copied
    assert text.startswith(copied)
    assert CODE in copied
    person.conversation.get_by_role("button", name="Copy code").click()
    assert pasted(person) == "print('**hello**')\n"


def pasted(person: Person) -> str:
    person.message.fill("")
    person.message.press("Control+v")
    return person.message.input_value()


def test_code_can_be_saved_as_a_file(reader: Person, tmp_path: Path) -> None:
    has_said(reader, CODE)
    expect(reader.conversation.locator(".code-head > span")).to_have_text("python")
    with reader.page.expect_download() as download:
        reader.conversation.get_by_role("button", name="Download code").click()
    assert download.value.suggested_filename == "code.py"
    download.value.save_as(tmp_path / "code.py")
    assert (tmp_path / "code.py").read_text() == "print('**hello**')\n"
