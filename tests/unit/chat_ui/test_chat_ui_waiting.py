"""A question waits for a full engine, as long as somebody wants to."""

from __future__ import annotations

import asyncio

import pytest
from unit.chat_ui.asking import ASKED, PARIS, chat, views
from unit.chat_ui.fake_engine import FakeEngine

from chat_ui.caller import NOBODY
from chat_ui.chat import View
from chat_ui.chat_settings import ChatSettings
from chat_ui.engine import EngineClient
from chat_ui.messages import Language, text
from chat_ui.patience import Patience


@pytest.mark.parametrize("inside", [False, True], ids=["refused by the door", "refused inside a stream"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_a_question_waits_for_a_full_engine_and_is_answered(
    engine: FakeEngine, client: EngineClient, language: Language, inside: bool
) -> None:
    full = {"error": "Model is overloaded", "error_type": "overloaded"}
    if inside:
        engine.error_after = (0, full)
    else:
        engine.refuse["/generate_stream"] = (429, full)
    made = chat(client, patience=Patience(first=0.001, longest=0.001))
    shown: list[View] = []
    async for view in made.answer(ASKED, ChatSettings("", max_new_tokens=40), language, NOBODY):
        shown.append(view)
        if view.state == "waiting":
            asked = [path for path, _, _ in engine.asked].count("/generate_stream")
            engine.refuse.clear()
            engine.error_after = None
    waiting = View("", "waiting", text(language, "note_waiting", minutes=10))
    assert asked == 1
    assert [view for view in shown if view.note] == [waiting] == [shown[1]]
    assert (shown[-1].text, shown[-1].state) == (PARIS, "done")


async def test_a_question_that_waited_too_long_is_told_so_and_kept(
    engine: FakeEngine, client: EngineClient
) -> None:
    engine.refuse["/generate_stream"] = (429, {"error": "Model is overloaded", "error_type": "overloaded"})
    patience = Patience(first=0.001, longest=0.002, whole=0.01)
    last = (await views(chat(client, patience=patience)))[-1]
    assert last == View("", "done", text("en", "error_busy"))
    assert [path for path, _, _ in engine.asked].count("/generate_stream") == 6  # after 0, 1, 3, 5, 7, 9 ms


async def test_a_wait_that_is_stopped_asks_no_more(engine: FakeEngine, client: EngineClient) -> None:
    engine.refuse["/generate_stream"] = (429, {"error": "Model is overloaded", "error_type": "overloaded"})
    engine.retry_after = "3"
    made = chat(client, patience=Patience())
    answer = made.answer(ASKED, ChatSettings("", max_new_tokens=40), "en", NOBODY)
    assert (await anext(answer)).running
    assert (await anext(answer)).state == "waiting"
    waits = asyncio.ensure_future(anext(answer))
    await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    await answer.aclose()
    assert [path for path, _, _ in engine.asked].count("/generate_stream") == 1


@pytest.mark.parametrize("code", ["rate_limited", "too_many_running", "budget_spent"])
async def test_nobody_waits_for_a_limit_of_his_own(
    engine: FakeEngine, client: EngineClient, code: str
) -> None:
    engine.refuse["/generate_stream"] = (429, {"error": "no", "code": code, "error_type": "overloaded"})
    engine.retry_after = "1"
    last = (await views(chat(client, patience=Patience())))[-1]
    assert (last.text, last.state) == ("", "done")
    assert [path for path, _, _ in engine.asked].count("/generate_stream") == 1
