"""From a question to the last view of its answer, and every failure as one clear text with the input kept."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from typing import Any

import pytest
from unit.chat_ui.asking import ASKED, HELLO, PARIS, chat, views
from unit.chat_ui.fake_engine import FakeEngine, Json

from chat_ui.caller import NOBODY, Caller
from chat_ui.chat import View
from chat_ui.chat_settings import ChatSettings
from chat_ui.conversation import File, Message, Question
from chat_ui.engine import EngineClient
from chat_ui.messages import Language, text


async def test_the_answer_begins_at_once_and_grows(client: EngineClient) -> None:
    first, *growing, last = await views(chat(client))
    assert first == View("", "writing")
    assert growing
    assert all(view.state == "writing" and PARIS.startswith(view.text) for view in growing)
    assert (last.text, last.state, last.note) == (PARIS, "done", "")


async def test_an_answer_says_what_it_took(engine: FakeEngine, client: EngineClient) -> None:
    engine.delay = 0.01
    *_, one, last = await views(chat(client))
    assert one.figures is not None and last.figures is not None
    assert (last.figures.tokens_in, last.figures.tokens_out, last.figures.ended) == (2, 4, "eos_token")
    assert (one.figures.tokens_out, one.figures.ended) == (4, "")
    assert last.figures.first_s >= 0.01
    assert last.figures.seconds >= 0.03


async def test_the_engine_gets_the_settings_and_the_system_prompt(
    engine: FakeEngine, client: EngineClient
) -> None:
    settings = ChatSettings(
        "Be brief.", temperature=0.5, top_p=0.8, max_new_tokens=30, repetition_penalty=1.2
    )
    await views(chat(client), settings=settings)
    [request] = engine.generations
    assert request["inputs"] == "system: Be brief.\nuser: hello there"
    sent = request["parameters"]
    assert (sent["temperature"], sent["top_p"], sent["max_new_tokens"]) == (0.5, 0.8, 30)
    assert (sent["repetition_penalty"], sent["do_sample"]) == (1.2, True)


async def test_an_answer_cut_at_the_limit_says_so(engine: FakeEngine, client: EngineClient) -> None:
    engine.finish_reason = "length"
    last = (await views(chat(client)))[-1]
    assert (last.text, last.note) == (PARIS, text("en", "note_length", tokens=4))
    assert last.figures is not None
    assert last.figures.ended == "length"


async def test_messages_that_were_left_out_are_told_before_the_answer(client: EngineClient) -> None:
    talk = [m for n in range(10) for m in (Message("user", "word " * 9), Message("assistant", f"a{n}"))]
    _, second, *_, last = await views(chat(client), Question([*talk, HELLO]))
    assert second.left_out == last.left_out == text("en", "note_left_out", left_out=2, of=21)
    assert (last.text, last.note) == (PARIS, "")


async def test_a_message_that_is_too_long_is_refused(engine: FakeEngine, client: EngineClient) -> None:
    long = "word " * 101
    before = [Message("user", "earlier"), Message("assistant", "answer")]
    last = (await views(chat(client), Question([*before, Message("user", long)])))[-1]
    assert last == View("", "refused", text("en", "notice_too_long", given=101, limit=100, max_new_tokens=40))
    assert engine.generations == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(
    ("refusal", "key"),
    [
        ((429, {"error": "Model is overloaded", "error_type": "overloaded"}), "error_busy"),
        ((503, "down"), "error_unavailable"),
        ((429, {"error": "x", "code": "too_many_running"}), "error_too_many_running"),
        ((424, {"error": "CUDA", "error_type": "generation"}), "error_generation"),
    ],
)
async def test_a_refusal_leaves_the_question_with_a_text_in_the_persons_language(
    engine: FakeEngine, client: EngineClient, refusal: tuple[int, Json | str], key: str, language: Language
) -> None:
    engine.refuse["/generate_stream"] = refusal
    last = (await views(chat(client), language=language))[-1]
    assert last == View("", "done", text(language, key))


@pytest.mark.parametrize("code", ["rate_limited", "budget_spent"])
@pytest.mark.parametrize(
    ("language", "retry_after", "again"),
    [
        ("en", "42", "Try again in 42 s."),
        ("zh-CN", "42", "请在 42 秒后重试。"),
        ("en", None, "Try again in a moment."),
    ],
)
async def test_a_limit_is_told_with_the_time_when_it_is_over(
    engine: FakeEngine,
    client: EngineClient,
    code: str,
    language: Language,
    retry_after: str | None,
    again: str,
) -> None:
    engine.refuse["/generate_stream"] = (429, {"error": "no", "code": code})
    engine.retry_after = retry_after
    last = (await views(chat(client), language=language))[-1]
    assert last.note == text(language, f"error_{code}", again=again)


async def test_the_engine_is_asked_on_the_persons_behalf(engine: FakeEngine, client: EngineClient) -> None:
    await views(chat(client), caller=Caller("alice", "4fd1"))
    assert [(user, request) for _, user, request in engine.asked] == [("alice", "4fd1")] * 3


@pytest.mark.parametrize(
    ("caller", "logged"),
    [
        (Caller("alice", "4fd1"), "no whole answer in request 4fd1: GenerationFailed"),
        (NOBODY, "no whole answer: GenerationFailed"),
    ],
)
async def test_the_log_names_the_request_of_an_answer_that_failed(
    engine: FakeEngine,
    client: EngineClient,
    caplog: pytest.LogCaptureFixture,
    caller: Caller,
    logged: str,
) -> None:
    engine.refuse["/generate_stream"] = (424, {"error": "CUDA", "error_type": "generation"})
    with caplog.at_level(logging.WARNING, "chat_ui"):
        await views(chat(client), caller=caller)
    assert [record.message for record in caplog.records] == [logged]


async def test_busy_inside_a_stream_is_told_like_busy(engine: FakeEngine, client: EngineClient) -> None:
    engine.error_after = (0, {"error": "Model is overloaded", "error_type": "overloaded"})
    assert (await views(chat(client)))[-1].note == text("en", "error_busy")


async def test_a_validation_error_is_told_in_the_engines_words(
    engine: FakeEngine, client: EngineClient
) -> None:
    engine.refuse["/generate_stream"] = (422, {"error": "`inputs` must be short", "error_type": "validation"})
    last = (await views(chat(client)))[-1]
    assert last.note == text("en", "error_rejected", detail="`inputs` must be short")


@pytest.mark.parametrize("state", ["starting", "downloading", "verifying", "loading"])
async def test_while_the_model_is_prepared_the_stage_is_told(
    engine: FakeEngine, client: EngineClient, state: str
) -> None:
    engine.refuse["/info"] = (503, "not yet")
    last = (await views(chat(client, state), language="zh-CN"))[-1]
    stage = text("zh-CN", f"state_{state}")
    assert last.note == text("zh-CN", "error_preparing", state=stage)


@pytest.mark.parametrize("phase", ["restarting", "gone"])
async def test_an_engine_that_restarts_or_is_gone_is_told_as_such(
    engine: FakeEngine, client: EngineClient, phase: str
) -> None:
    engine.refuse["/info"] = (503, {"error": "away", "code": "unavailable"})
    last = (await views(chat(client, "loading", phase)))[-1]
    assert last.note == text("en", f"error_{phase}")


async def test_every_way_to_be_without_the_engine_reads_differently() -> None:
    keys = ("error_busy", "error_unavailable", "error_restarting", "error_gone", "error_preparing")
    limits = ("error_rate_limited", "error_too_many_running", "error_budget_spent")
    assert len({text("en", key, state="", again="") for key in (*keys, *limits)}) == len(keys) + len(limits)


async def test_a_model_that_failed_is_told(engine: FakeEngine, client: EngineClient) -> None:
    engine.refuse["/info"] = (503, "never")
    last = (await views(chat(client, "failed")))[-1]
    assert last.note == text("en", "error_model_failed")


@pytest.mark.parametrize(
    ("knobs", "key"),
    [
        ({"cut_after": 2}, "error_cut"),
        ({"error_after": (2, {"error": "CUDA", "error_type": "generation"})}, "error_generation"),
    ],
)
async def test_what_had_arrived_is_kept(
    engine: FakeEngine, client: EngineClient, knobs: dict[str, Any], key: str
) -> None:
    vars(engine).update(knobs)
    last = (await views(chat(client)))[-1]
    assert (last.text, last.state, last.note) == ("The capital ", "done", text("en", key))
    assert last.figures is not None
    assert (last.figures.tokens_out, last.figures.ended) == (2, "cut")


async def test_an_empty_answer_is_told(engine: FakeEngine, client: EngineClient) -> None:
    engine.answer = []
    assert (await views(chat(client)))[-1].note == text("en", "note_empty")


async def test_a_bug_is_told_without_a_traceback(client: EngineClient) -> None:
    last = (await views(chat(client), Question([])))[-1]
    assert last.note == text("en", "error_internal")


async def test_a_bug_is_logged_with_the_request(
    client: EngineClient, caplog: pytest.LogCaptureFixture
) -> None:
    await views(chat(client), Question([]), caller=Caller(None, "4fd1"))
    assert [record.message for record in caplog.records] == ["no whole answer in request 4fd1"]


async def test_stopping_closes_the_engines_connection(engine: FakeEngine, client: EngineClient) -> None:
    engine.answer = None
    answering = chat(client).answer(ASKED, ChatSettings(), "en", NOBODY)
    async for view in answering:
        if view.text:
            break
    await answering.aclose()
    await asyncio.wait_for(engine.closed_early.wait(), 10)


async def test_an_answer_goes_on_where_it_was_cut(engine: FakeEngine, client: EngineClient) -> None:
    engine.answer = ["is ", "Paris."]
    question = replace(ASKED, kind="continued", begun="The capital ")
    first, *_, last = await views(chat(client), question)
    assert first.text == "The capital "
    assert (last.text, last.state) == ("The capital is Paris.", "done")
    [request] = engine.generations
    assert request["inputs"].endswith("hello thereThe capital ")


async def test_an_answer_that_goes_on_into_nothing_keeps_what_there_was(
    engine: FakeEngine, client: EngineClient
) -> None:
    engine.answer = []
    last = (await views(chat(client), replace(ASKED, begun="The capital ")))[-1]
    assert (last.text, last.note) == ("The capital ", text("en", "note_empty"))


async def test_a_file_that_was_cut_is_told_before_the_answer(client: EngineClient) -> None:
    asked = Message("user", "What is it?", (File("a.txt", "word " * 1000),))
    last = (await views(chat(client), replace(ASKED, messages=[asked])))[-1]
    assert re.fullmatch(r"Of what is attached, the first \d+ of 5000 characters fit .*", last.left_out)


async def test_an_answer_that_filled_the_context_says_so(engine: FakeEngine, client: EngineClient) -> None:
    engine.finish_reason = "length"
    last = (await views(chat(client), settings=ChatSettings("")))[-1]
    assert last.note == text("en", "note_context_full", tokens=4)
