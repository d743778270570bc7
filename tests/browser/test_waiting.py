"""A person whose question finds the engine full: it waits, says so, and is answered when there is a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from harness.caller import Caller, Stream
from harness.person import Person
from harness.stack import Stack
from harness.waiting import wait_until

WAITS = "Your question waits"
FRANCE = "What is the capital of France?"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An appliance whose engine answers one at a time, and nobody waits inside it."""
    settings = {"MAX_CONCURRENT_REQUESTS": "1", "UI_REPLICAS": "1"}
    with Stack(tmp_path_factory.mktemp("small"), settings) as running:
        running.up()
        yield running


@pytest.fixture
def somebody_else(stack: Stack) -> Iterator[Stream]:
    """An answer that takes the only place, once nobody has it: a conversation's title is written, too."""
    opened: list[Stream] = []

    def has_it() -> bool:
        opened.append(Caller(stack.url, "-", "-").count_on())
        return opened[-1].status == 200

    wait_until(has_it, "there is a place")
    opened[-1].read(1)
    yield opened[-1]
    opened[-1].close()


def test_a_question_waits_until_there_is_a_place(person: Person, somebody_else: Stream) -> None:
    person.choose("Temperature", "0.1")
    person.ask(FRANCE)
    expect(person.conversation).to_contain_text(WAITS)
    expect(person.stop).to_be_visible()

    somebody_else.close()
    expect(person.answers.last).to_contain_text("Paris")
    person.finishes()
    expect(person.conversation).not_to_contain_text(WAITS)
    expect(person.questions).to_have_count(1)


def test_a_wait_can_be_stopped_and_the_question_asked_again(person: Person, somebody_else: Stream) -> None:
    person.choose("Temperature", "0.1")
    person.ask(FRANCE)
    expect(person.conversation).to_contain_text(WAITS)
    person.stop.click()
    person.finishes()
    expect(person.conversation).to_contain_text("You stopped this answer.")
    expect(person.conversation).not_to_contain_text(WAITS)

    somebody_else.close()
    person.retry.click()
    expect(person.answers.last).to_contain_text("Paris")
    person.finishes()
    expect(person.questions).to_have_count(1)


def test_a_page_that_is_reloaded_in_the_wait_waits_on(
    arrive: Callable[..., Person], somebody_else: Stream
) -> None:
    person = arrive("zh-CN")
    message = person.page.get_by_placeholder("输入你的问题")
    message.fill(FRANCE)
    message.press("Enter")
    expect(person.conversation).to_contain_text("你的问题正在排队")
    person.page.reload()
    expect(person.conversation).to_contain_text("你的问题正在排队")
    somebody_else.close()
    expect(person.conversation).not_to_contain_text("你的问题正在排队")
    expect(person.answers.last).not_to_be_empty()
    expect(person.questions).to_have_count(1)
