"""People sign in on the page, chat and sign out; in a shared browser nobody sees another's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect

from harness.person import Person
from harness.stack import Stack
from harness.waiting import wait_until

PASSWORDS = {"alice": "correct horse", "bob": "battery staple"}
QUESTION = "What is the capital of France?"
KEPT = """async () => {
  const all = await chatDatabase.all();
  return JSON.stringify([{...localStorage}, {...sessionStorage}, all]);
}"""


@pytest.fixture(scope="module")
def site(guarded: Stack) -> Iterator[Stack]:
    """The appliance that asks who it is; bob may sign in, too."""
    guarded.add_user("bob", PASSWORDS["bob"])
    session, bob = f"{guarded.url}/session", ("bob", PASSWORDS["bob"])
    wait_until(lambda: requests.post(session, auth=bob, timeout=30).ok, "nginx knows bob", poll_s=1)
    yield guarded
    guarded.appliance("users", "remove", "bob", "--yes")


@pytest.fixture
def shared(browser: Browser, site: Stack) -> Iterator[BrowserContext]:
    """One browser's profile, as on a computer that several people use."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 860})
    yield context
    context.close()


@pytest.fixture
def arrive(shared: BrowserContext, site: Stack) -> Callable[[], Page]:
    """Opens the appliance in one more tab."""

    def open_tab() -> Page:
        page = shared.new_page()
        page.goto(site.url)
        return page

    return open_tab


def sign_in(page: Page, name: str) -> Person:
    """Signs in, again and again while nginx finds that this address tries passwords too often."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORDS[name])
    wait_until(lambda: is_let_in(page, name), f"{name} is let in", poll_s=5)
    person = Person(page)
    person.choose("Max new tokens", "40")
    return person


def is_let_in(page: Page, name: str) -> bool:
    page.get_by_role("button", name="Sign in", exact=True).click()
    inside = page.get_by_text(name, exact=True)
    expect(inside.or_(page.get_by_text("Too many attempts"))).to_be_visible()
    return inside.is_visible()


def sign_out(person: Person) -> None:
    person.page.get_by_role("button", name="Sign out", exact=True).click()
    asks_who_it_is(person.page)


def asks_who_it_is(page: Page) -> None:
    expect(page).to_have_url(re.compile("/login$"))
    expect(page.get_by_label("Password", exact=True)).to_be_visible()


def session_ends(context: BrowserContext) -> None:
    """As after SESSION_DAYS, or a new password."""
    context.clear_cookies(name=re.compile("_session$"))


def test_a_person_signs_in_chats_and_signs_out(arrive: Callable[[], Page], site: Stack) -> None:
    page = arrive()
    asks_who_it_is(page)
    alice = sign_in(page, "alice")
    alice.ask(QUESTION)
    alice.finishes()
    expect(alice.answers.last).not_to_be_empty()

    sign_out(alice)

    assert QUESTION not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    page.goto(site.url)
    asks_who_it_is(page)
    expect(sign_in(page, "alice").send).to_be_visible()
    expect(Person(page).questions).to_have_count(0)
    assert QUESTION not in page.evaluate(KEPT)


def test_a_session_that_ends_costs_no_word(arrive: Callable[[], Page], shared: BrowserContext) -> None:
    alice = sign_in(arrive(), "alice")
    alice.ask(QUESTION)
    alice.finishes()
    answer = alice.answers.first.inner_text()

    session_ends(shared)
    alice.message.fill("And of Italy?")
    alice.send.click()
    asks_who_it_is(alice.page)

    alice = sign_in(alice.page, "alice")
    expect(alice.answers.first).to_have_text(answer, use_inner_text=True)
    expect(alice.message).to_have_value("And of Italy?")
    alice.send.click()
    expect(alice.questions).to_have_count(2)
    alice.finishes()


def test_somebody_else_in_the_same_browser_sees_nothing_of_it(
    arrive: Callable[[], Page], shared: BrowserContext
) -> None:
    alice = sign_in(arrive(), "alice")
    alice.ask(QUESTION)
    alice.finishes()

    session_ends(shared)
    bob = sign_in(arrive(), "bob")

    expect(bob.send).to_be_visible()
    expect(bob.questions).to_have_count(0)
    assert QUESTION not in bob.page.evaluate(KEPT)
    # the tab that alice left open is bob's now
    expect(alice.page.get_by_text("bob", exact=True)).to_be_visible()
    expect(alice.questions).to_have_count(0)


def test_signing_out_empties_every_tab(arrive: Callable[[], Page]) -> None:
    here = sign_in(arrive(), "alice")
    here.ask(QUESTION)
    here.finishes()
    there = Person(arrive())
    expect(there.questions).to_have_count(1)

    sign_out(here)

    asks_who_it_is(there.page)
    there = sign_in(there.page, "bob")
    expect(there.questions).to_have_count(0)
    assert QUESTION not in there.page.evaluate(KEPT)


def test_a_chinese_browser_signs_out_in_chinese(
    browser: Browser, site: Stack, arrive: Callable[[], Page], shared: BrowserContext
) -> None:
    sign_in(arrive(), "alice")
    chinese = browser.new_context(locale="zh-CN", storage_state=shared.storage_state())
    page = chinese.new_page()
    page.goto(site.url)
    page.get_by_role("button", name="退出登录", exact=True).click()
    expect(page.get_by_label("密码", exact=True)).to_be_visible()
    chinese.close()
