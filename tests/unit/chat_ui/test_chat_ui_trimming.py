"""Trimming by the engine's own counts (the fake one counts words)."""

from __future__ import annotations

import pytest
from unit.chat_ui.fake_engine import FakeEngine

from chat_ui import trimming
from chat_ui.conversation import File, Message
from chat_ui.engine import EngineClient, EngineInfo
from chat_ui.errors import MessageTooLong
from chat_ui.trimming import Fitted, fit

INFO = EngineInfo("test/words", max_input_tokens=100, max_total_tokens=140)


def talk(turns: int, words: int = 5) -> list[Message]:
    """So many turns of question and answer of `words` words each, and a last question of `words` words."""
    messages = []
    for number in range(turns):
        messages.append(Message("user", f"q{number} " + "word " * (words - 1)))
        messages.append(Message("assistant", f"a{number} " + "word " * (words - 1)))
    return [*messages, Message("user", "last " + "word " * (words - 1))]


async def fitted(client: EngineClient, messages: list[Message], system: str = "", new: int = 40) -> Fitted:
    return await fit(client.chat_prompt, INFO, messages, system, new)


async def test_what_fits_is_sent_whole_with_one_call(engine: FakeEngine, client: EngineClient) -> None:
    result = await fitted(client, talk(9))
    assert (result.left_out, result.of, result.prompt.tokens) == (0, 19, 95)
    assert len(engine.tokenized) == 1


async def test_exactly_the_limit_fits(client: EngineClient) -> None:
    result = await fitted(client, [Message("user", "word " * 100)])
    assert (result.left_out, result.prompt.tokens) == (0, 100)


async def test_the_oldest_turns_go_and_no_more_than_needed(engine: FakeEngine, client: EngineClient) -> None:
    result = await fitted(client, talk(30))
    # 9 turns of 10 words and the last question of 5 are 95; a tenth turn would make 105
    assert (result.left_out, result.of, result.prompt.tokens) == (42, 61, 95)
    assert result.prompt.text.startswith("user: q21 ")
    assert len(engine.tokenized) <= 7


@pytest.mark.parametrize("turns", range(1, 25))
async def test_input_and_answer_always_fit_together(
    engine: FakeEngine, client: EngineClient, turns: int
) -> None:
    result = await fitted(client, talk(turns), new=60)
    assert result.prompt.tokens + result.max_new_tokens <= INFO.max_total_tokens
    kept = result.of - result.left_out
    assert kept == min(2 * turns + 1, 15)
    assert "last" in result.prompt.text


async def test_the_system_prompt_is_always_kept_and_counted(client: EngineClient) -> None:
    result = await fitted(client, talk(30), system="be brief " * 10)
    assert result.prompt.text.startswith("system: be brief")
    assert (result.prompt.tokens, result.of - result.left_out) == (95, 15)


async def test_a_question_that_is_too_long_alone_is_told_with_the_numbers(client: EngineClient) -> None:
    with pytest.raises(MessageTooLong) as caught:
        await fitted(client, [*talk(3)[:-1], Message("user", "word " * 101)])
    assert (caught.value.given, caught.value.limit, caught.value.max_new_tokens) == (101, 100, 40)


async def test_a_first_question_that_is_too_long_is_counted_once(
    engine: FakeEngine, client: EngineClient
) -> None:
    with pytest.raises(MessageTooLong):
        await fitted(client, [Message("user", "word " * 101)])
    assert len(engine.tokenized) == 1


async def test_the_answer_gets_at_most_half_of_a_small_engine(client: EngineClient) -> None:
    result = await fitted(client, [Message("user", "hello")], new=4096)
    assert result.max_new_tokens == 70


async def test_what_the_engine_would_refuse_to_read_is_not_sent(
    engine: FakeEngine, client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trimming, "PAYLOAD_BYTES", 1000)
    result = await fitted(client, [*talk(1, words=500)[:-1], Message("user", "hello")])
    assert (result.left_out, result.prompt.text) == (2, "user: hello")
    assert all(sum(len(m["content"]) for m in messages) <= 1000 for messages in engine.tokenized)
    with pytest.raises(MessageTooLong) as caught:
        await fitted(client, [Message("user", "x" * 4000)])
    assert caught.value.given == 1000


async def test_what_is_longer_than_any_text_that_fits_is_not_even_counted(
    engine: FakeEngine, client: EngineClient
) -> None:
    longest = 100 * trimming.BYTES_A_TOKEN
    result = await fitted(
        client, [Message("user", "x" * (longest + 1)), Message("assistant", "Yes?"), *talk(0)]
    )
    assert (result.left_out, result.of) == (2, 3)
    with pytest.raises(MessageTooLong) as caught:
        await fitted(client, [Message("user", "x" * (longest + 1))])
    assert caught.value.given == (longest + 1) // 4
    assert all(len(m["content"]) <= longest for messages in engine.tokenized for m in messages)
    await fitted(client, [Message("user", "x" * longest)])


async def test_an_answer_of_any_length_has_a_quarter_at_least(client: EngineClient) -> None:
    result = await fitted(client, [Message("user", "word " * 100)], new=0)
    assert (result.max_new_tokens, result.prompt.tokens) == (0, 100)
    with pytest.raises(MessageTooLong) as raised:
        await fit(client.chat_prompt, EngineInfo("m", 130, 140), [Message("user", "word " * 106)], "", 0)
    assert (raised.value.limit, raised.value.max_new_tokens) == (105, 35)


def attached(words: int, question: str = "What is it?") -> Message:
    return Message("user", question, (File("a.txt", "word " * words),))


async def test_a_file_that_fits_is_sent_whole(engine: FakeEngine, client: EngineClient) -> None:
    result = await fitted(client, [attached(50)])
    assert (result.file_characters, result.file_of) == (250, 250)
    (sent,) = engine.tokenized[-1]
    assert sent["content"].startswith('<file name="a.txt">\nword ')
    assert sent["content"].endswith("\n</file>\n\nWhat is it?")


async def test_of_a_file_that_does_not_fit_its_beginning_is_sent(
    engine: FakeEngine, client: EngineClient
) -> None:
    result = await fitted(client, [*talk(2)[:-1], attached(1000)])
    assert result.left_out == 4
    assert 90 <= result.prompt.tokens <= 100
    assert 0 < result.file_characters < result.file_of == 5000
    assert result.prompt.text.count("word") == pytest.approx(result.file_characters / 5, abs=1)
    assert len(engine.tokenized) <= 3 + trimming.FILE_TRIES


async def test_a_question_that_does_not_fit_without_its_file_is_too_long(client: EngineClient) -> None:
    with pytest.raises(MessageTooLong):
        await fitted(client, [attached(1000, "word " * 101)])


async def test_an_answer_that_goes_on_begins_with_what_there_is(client: EngineClient) -> None:
    asked = [Message("user", "Count.")]
    result = await fit(client.chat_prompt, INFO, asked, "", 40, begun="one two three")
    assert result.prompt.text == "user: Count.one two three"
    assert result.prompt.tokens == 4
    with pytest.raises(MessageTooLong):
        await fit(client.chat_prompt, INFO, asked, "", 40, begun="word " * 100)
