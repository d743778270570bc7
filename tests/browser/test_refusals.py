"""A question that the door does not take: the page says why, and loses nothing that somebody wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from harness import raw_http
from harness.person import Person
from harness.stack import Stack
from harness.waiting import wait_until

JOIN = "**/gradio_api/queue/join*"
QUESTION = "What is the capital of France?"
PASSWORD = "battery staple"


@dataclass
class Door:
    """Answers a page's questions with these refusals, one after the other, and lets what comes next pass.

    A refusal is the status and the seconds after which to ask again.
    """

    refusals: list[tuple[int, int | None]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, route: Route) -> None:
        self.asked.append(route.request.post_data or "")
        if not self.refusals:
            route.continue_()
            return
        status, seconds = self.refusals.pop(0)
        headers = {} if seconds is None else {"Retry-After": str(seconds)}
        route.fulfill(status=status, headers=headers, json={"error": "no", "code": "rate_limited"})


def door(person: Person, *refusals: tuple[int, int | None]) -> Door:
    made = Door(list(refusals))
    person.page.route(JOIN, made)
    return made


def refused(person: Person) -> Locator:
    """What the page says of it; Gradio says nothing."""
    notice = person.page.locator("#refused")
    expect(notice).to_be_visible()
    expect(person.page.locator(".toast-body:visible")).to_have_count(0)
    return notice


def send(person: Person) -> None:
    person.message.fill(QUESTION)
    person.send.click()


@pytest.mark.parametrize(("status", "said"), [(429, "Too many messages"), (503, "no room for one more")])
def test_what_comes_too_early_is_sent_again_by_itself(person: Person, status: int, said: str) -> None:
    asked = door(person, (status, 2), (status, 1))
    send(person)
    notice = refused(person)
    expect(notice).to_contain_text(said)
    expect(notice).to_contain_text("again by itself in")
    expect(person.message).to_have_value(QUESTION)
    expect(person.questions).to_contain_text([QUESTION])
    person.finishes()
    expect(notice).to_be_hidden()
    expect(person.message).to_have_value("")
    assert len(asked.asked) == 3
    assert len(set(asked.asked)) == 1


def test_what_gradio_says_late_of_a_change_ends_no_waiting(person: Person) -> None:
    """It speaks of the kept settings, and of what was typed, a moment after it has shown them."""
    asked = door(person, (429, 2))
    send(person)
    refused(person)
    person.page.evaluate("""() => {
      const { draft, settings } = chatStorage.inputs();
      chatPage.keepInputs([draft, ...Object.values(settings)]);
    }""")
    expect(person.questions).to_contain_text([QUESTION])
    person.finishes()
    assert len(asked.asked) == 2


@pytest.mark.parametrize("how", ["button", "typing", "new chat"])
def test_what_waits_is_not_sent_once_somebody_does_something_else(person: Person, how: str) -> None:
    asked = door(person, (429, 2))
    send(person)
    notice = refused(person)
    if how == "button":
        notice.get_by_role("button", name="Don't send").click()
    elif how == "typing":
        person.message.fill(f"{QUESTION} And of Spain?")
    else:
        person.new_chat.click()
    expect(notice).to_be_hidden()
    kept = {"button": QUESTION, "typing": f"{QUESTION} And of Spain?", "new chat": ""}[how]
    expect(person.message).to_have_value(kept)
    person.message.fill("Hello?")
    person.send.click()
    expect(person.questions).to_contain_text(["Hello?"])
    person.finishes()
    expect(person.page.locator(".toast-body:visible")).to_have_count(0)
    assert [QUESTION in body for body in asked.asked] == [True, False]


def test_an_edit_that_is_refused_changes_nothing_but_the_message_box(person: Person) -> None:
    person.ask(QUESTION)
    person.finishes()
    door(person, (413, None))
    person.questions.first.hover()
    person.conversation.get_by_role("button", name="Edit").first.click()
    person.conversation.get_by_role("textbox").first.fill("And of Spain?")
    person.conversation.get_by_role("button", name="Submit").first.click()
    expect(refused(person)).to_contain_text("too large")
    expect(person.message).to_have_value("And of Spain?")
    expect(person.questions).to_contain_text([QUESTION])


def test_a_conversation_that_is_too_large_is_said_to_be(arrive: Callable[..., Person]) -> None:
    person = arrive("zh-CN")
    text = [{"type": "text", "text": "word " * 240_000}]
    messages: list[Any] = [{"role": "user", "content": text, "metadata": {}, "options": None}]
    kept = json.dumps(json.dumps({"user": None, "messages": messages}))
    # for the page that comes next: this one keeps what it has when it goes
    person.page.add_init_script(f"sessionStorage.setItem('qwen-appliance.chat.1', {kept})")
    person.page.reload()
    message, button = (
        person.page.get_by_placeholder("输入你的问题"),
        person.page.get_by_role("button", name="发送", exact=True),
    )
    expect(person.questions).to_have_count(1)
    message.fill(QUESTION)
    button.click()
    expect(refused(person)).to_contain_text("对话内容过大")
    expect(message).to_have_value(QUESTION)
    expect(person.questions).to_have_count(1)


@pytest.fixture
def hasty(browser: Browser, guarded: Stack) -> Iterator[Person]:
    """Somebody who may ask once a minute."""
    guarded.add_user("hasty", PASSWORD, "--rpm", "1")
    as_hasty = raw_http.basic("hasty", PASSWORD)

    def is_known() -> bool:
        return raw_http.ask(guarded.port, "POST", "/session", as_hasty).status == 204

    # nginx knows a new person after a second, and allows ten attempts a minute
    wait_until(is_known, "the person is known", poll_s=2, deadline_s=120)
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto(guarded.url)
    page.get_by_label("Name", exact=True).fill("hasty")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    yield Person(page)
    context.close()
    guarded.appliance("users", "remove", "hasty", "--yes")


def test_who_asks_more_often_than_he_may_is_answered_in_the_end(hasty: Person) -> None:
    hasty.choose("Max new tokens", "10")
    for _ in range(5):
        send(hasty)
        expect(hasty.message).to_have_value("")
        hasty.finishes()
    send(hasty)
    notice = refused(hasty)
    expect(notice).to_contain_text("again by itself in")
    expect(hasty.message).to_have_value(QUESTION)
    expect(hasty.questions).to_have_count(6, timeout=120_000)
    expect(notice).to_be_hidden()
