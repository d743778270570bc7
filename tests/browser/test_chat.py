"""A person chats: asks, sees the answer grow, stops one, edits, reloads, and loses nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Route, expect

from harness.person import Person
from harness.stack import Stack
from harness.waiting import wait_until

LONG = "Write a very long story about a lighthouse keeper and the sea, with many chapters."
BRIEF = "40"  # tokens
HOLD = """() => {
  const fetched = window.fetch;
  window.held = "";
  window.fetch = async (...asked) => {
    const answer = await fetched(...asked);
    const released = async () => {
      while (window.held && answer.url.includes(window.held)) {
        await new Promise((next) => setTimeout(next, 20));
      }
    };
    const pass = async (chunk, out) => { await released(); out.enqueue(chunk); };
    return new Response(answer.body.pipeThrough(new TransformStream({ transform: pass })), answer);
  };
}"""
"""Holds back what answers carry that come from addresses with `window.held` in them."""
PLANS = """() => {
  const [plan, drop] = [window.setTimeout, window.clearTimeout];
  window.plans = new Map();
  window.setTimeout = (act, wait, ...rest) => {
    const id = plan((...given) => { window.plans.delete(id); act(...given); }, wait, ...rest);
    window.plans.set(id, wait);
    return id;
  };
  window.clearTimeout = (id) => { window.plans.delete(id); drop(id); };
}"""
"""From now on `window.plans` has how long each timer waits that is still to come."""
KEPT_ONCE = {
    "user": None,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Say a color."}], "metadata": {}}],
    "inputs": ["half a ques", "Be brief.", 1.2, 0.5, 40, 1.3],
}
"""What a browser holds of the page whose settings were kept by position."""
READY_MS = 15000  # as static/banner.js has it
CANCELLED, STREAM = "gradio_api/cancel", "queue/data"


def test_a_question_is_answered(person: Person) -> None:
    person.choose("Temperature", "0.1")
    person.ask("What is the capital of France?")
    expect(person.answers.last).to_contain_text("Paris")
    person.finishes()
    expect(person.message).to_have_value("")
    expect(person.banner).to_be_hidden()


def test_an_answer_grows_and_stop_frees_the_engine(person: Person, stack: Stack) -> None:
    person.ask(LONG)
    person.sees_growth()
    assert stack.engine_gauge("tgi_batch_current_size") == 1

    person.stop.click()

    person.finishes()
    wait_until(lambda: stack.engine_gauge("tgi_batch_current_size") == 0, "the engine stopped generating")
    expect(person.conversation).to_contain_text("You stopped this answer")
    kept = person.answers.first.inner_text()
    person.ask("What is two plus two?")
    person.finishes()
    assert person.answers.first.inner_text() == kept
    expect(person.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("late", [CANCELLED, STREAM])
@pytest.mark.parametrize("written", [True, False])
def test_stop_is_told_once_whatever_comes_late(person: Person, late: str, written: bool) -> None:
    """Gradio tells the page of a cancelled answer's end on the stream and in the cancellation's answer."""
    person.page.evaluate(HOLD)
    person.ask(LONG)
    if written:
        person.sees_growth()
    _click_while_held(person, person.stop, late)
    person.finishes()

    expect(person.conversation).to_contain_text("You stopped this answer")
    person.page.wait_for_timeout(500)  # for whatever would still change it
    said = person.conversation.inner_text()
    assert (said.count("You stopped this answer"), said.count("connection was lost")) == (1, 0)
    expect(person.conversation.get_by_text("Error", exact=True)).to_be_hidden()


@pytest.mark.parametrize("late", [CANCELLED, STREAM])
def test_a_new_chat_stays_new_whatever_comes_late(person: Person, late: str) -> None:
    person.page.evaluate(HOLD)
    person.ask(LONG)
    person.sees_growth()
    _click_while_held(person, person.new_chat, late)
    person.finishes()

    person.page.wait_for_timeout(500)
    expect(person.questions).to_have_count(0)
    expect(person.answers).to_have_count(0)
    expect(person.conversation.get_by_text("Error", exact=True)).to_be_hidden()


def test_however_often_the_page_asks_for_the_status_it_plans_to_ask_once(person: Person) -> None:
    """An answer that was stopped is told several times, and each time asks."""
    person.page.evaluate(PLANS)
    person.ask(LONG)
    person.sees_growth()
    person.stop.click()
    person.finishes()
    expect(person.conversation).to_contain_text("You stopped this answer")
    person.page.wait_for_timeout(500)
    waits = person.page.evaluate("() => [...window.plans.values()]")
    assert waits.count(READY_MS) == 1, waits


def _click_while_held(person: Person, control: Locator, address: str) -> None:
    person.page.evaluate("(address) => { window.held = address; }", address)
    control.click()
    person.page.wait_for_timeout(500)
    person.page.evaluate("() => { window.held = ''; }")


def test_a_reload_keeps_the_conversation(person: Person) -> None:
    person.choose("Max new tokens", BRIEF)
    person.ask("What is the capital of France?")
    person.finishes()
    answer = person.answers.first.inner_text()

    person.page.reload()

    expect(person.questions).to_have_count(1)
    expect(person.answers.first).to_have_text(answer, use_inner_text=True)
    person.ask("And of Italy?")
    person.finishes()
    expect(person.questions).to_have_count(2)


def test_settings_that_were_kept_by_position_are_found_again(person: Person, stack: Stack) -> None:
    person.page.goto(f"{stack.url}/whoami")
    person.page.evaluate(
        "(kept) => { sessionStorage.clear(); localStorage.setItem('qwen-appliance.chat.1', kept); }",
        json.dumps(KEPT_ONCE),
    )
    person.page.goto(stack.url)

    expect(person.message).to_have_value("half a ques")
    expect(person.questions.first).to_contain_text("Say a color.")
    expect(person.page.get_by_label("System prompt")).to_have_value("Be brief.")
    for setting, value in {"Temperature": "1.2", "Top-p": "0.5", "Max new tokens": "40"}.items():
        expect(person.page.get_by_label(re.compile(f"number input for {setting}"))).to_have_value(value)


def test_who_is_quicker_than_the_page_loses_nothing(person: Person) -> None:
    """Typed, or even sent, while the page asks who it is: the conversation comes back, then the
    question, which is answered with the settings that were kept.
    """
    person.choose("Max new tokens", "3")
    person.ask("Tell me all about whales.")
    person.finishes()
    held: list[Route] = []
    person.page.route("**/whoami", lambda route: held.append(route))

    for question in ("Tell me all about trains.", "Tell me all about trees."):
        held.clear()
        person.page.reload()
        person.message.fill(question)
        person.send.click()
        wait_until(lambda: person.page.title() and held, "the page asks who it is")
        held[0].continue_()
        expect(person.questions.last).to_contain_text(question)
        expect(person.conversation.locator(".figures").last).to_contain_text("3 out")
        person.finishes()
    expect(person.questions).to_have_count(3)

    held.clear()
    person.page.reload()
    person.message.fill("half a ques")
    wait_until(lambda: person.page.title() and held, "the page asks who it is")
    held[0].continue_()
    expect(person.questions).to_have_count(3)
    expect(person.message).to_have_value("half a ques")


def test_retry_and_edit_ask_again_from_there(person: Person) -> None:
    person.choose("Max new tokens", BRIEF)
    person.ask("Say a color.")
    person.finishes()
    person.ask("Say an animal.")
    person.finishes()

    person.retry.click()
    expect(person.stop).to_be_visible()
    person.finishes()
    expect(person.questions).to_have_count(2)

    person.conversation.get_by_role("button", name="Edit").first.click()
    person.conversation.get_by_role("textbox").fill("Say a number.")
    person.conversation.get_by_role("button", name="Submit").click()
    expect(person.questions).to_have_count(1)
    expect(person.questions.first).to_contain_text("Say a number.")
    person.finishes()

    person.new_chat.click()
    expect(person.questions).to_have_count(0)


def test_too_long_a_message_is_refused_with_the_numbers_and_kept(person: Person) -> None:
    question = "word " * 6000
    person.message.fill(question)
    person.send.click()
    expect(person.page.get_by_role("alert")).to_contain_text(re.compile(r"too long: \d+ tokens"))
    expect(person.message).to_have_value(question)
    expect(person.questions).to_have_count(0)
    person.ask("Say a color.")
    person.finishes()
    expect(person.questions).to_have_count(1)
    expect(person.answers).to_have_count(1)


def test_a_chinese_browser_gets_a_chinese_page(arrive: Callable[..., Person], stack: Stack) -> None:
    page = arrive("zh-CN").page
    expect(page.get_by_placeholder("输入你的问题")).to_be_visible()
    for label in ("发送", "新对话", "设置"):
        expect(page.get_by_role("button", name=label, exact=True).first).to_be_visible()


def test_the_settings_cover_nothing_where_there_is_room_beside_the_chat(person: Person) -> None:
    person.page.get_by_role("button", name="Settings", exact=True).click()
    expect(person.page.get_by_label("System prompt")).to_be_visible()
    person.new_chat.click()
    person.ask("Say a color.")
    person.finishes()
    person.conversation.get_by_role("button", name="Edit").first.click()
    expect(person.conversation.get_by_role("textbox")).to_be_focused()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_its_window(person: Person, width: int) -> None:
    person.page.set_viewport_size({"width": width, "height": 800})
    expect(person.send).to_be_in_viewport()
    assert person.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
