"""An answer waits for its reader, not for ever, and ends with him."""

from __future__ import annotations

import asyncio

import pytest

from chat_ui import readers
from chat_ui.readers import ANSWERS_OF_A_SESSION, UNREAD_MOST, Readers


class Answer:
    """An answer that goes on until it is ended."""

    def __init__(self, made: Readers, session: str) -> None:
        self.began = asyncio.Event()
        self.wanted: bool | None = None
        self.task = asyncio.create_task(self._write(made, session))

    async def _write(self, made: Readers, session: str) -> None:
        async with made.answering(session) as self.wanted:
            self.began.set()
            if self.wanted:
                await asyncio.Event().wait()


async def turn() -> None:
    """Let everybody run until there is nothing to do but wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_answer_begins_with_its_reader() -> None:
    made = Readers()
    answer = Answer(made, "abc")
    with made.reading("other"):
        await turn()
        assert not answer.began.is_set()
        assert not made.is_forsaken("abc")
        with made.reading("abc"):
            await turn()
            assert answer.wanted is True


async def test_whoever_reads_already_has_his_next_answer_at_once() -> None:
    made = Readers()
    with made.reading("abc"):
        answer = Answer(made, "abc")
        await turn()
        assert answer.wanted is True


async def test_without_a_reader_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "ARRIVAL_SECONDS", 0.0)
    answer = Answer(Readers(), "abc")
    await asyncio.wait_for(answer.task, 10)
    assert answer.wanted is False


async def test_it_ends_with_its_last_reader() -> None:
    made = Readers()
    with made.reading("xyz"):
        with made.reading("abc"):
            answer, bystander = Answer(made, "abc"), Answer(made, "xyz")
            with made.reading("abc"):
                await turn()
            await turn()
            assert made.has("abc")
            assert not answer.task.done()
        await turn()
        assert answer.task.cancelled()
        assert made.is_forsaken("abc")
        assert not bystander.task.done()


async def test_a_session_has_few_answers_at_a_time() -> None:
    made = Readers()
    first = [Answer(made, "abc") for _ in range(ANSWERS_OF_A_SESSION)]
    await turn()
    late, elsewhere = Answer(made, "abc"), Answer(made, "xyz")
    with made.reading("abc"), made.reading("xyz"):
        await turn()
        assert [answer.wanted for answer in first] == [True] * ANSWERS_OF_A_SESSION
        assert (late.wanted, elsewhere.wanted) == (False, True)
        first[0].task.cancel()
        await turn()
        again = Answer(made, "abc")
        await turn()
        assert again.wanted is True


async def test_of_too_many_without_a_reader_the_oldest_is_given_up() -> None:
    made = Readers()
    answers = [Answer(made, str(number)) for number in range(UNREAD_MOST)]
    await turn()
    assert not any(answer.began.is_set() for answer in answers)
    answers.append(Answer(made, "one more"))
    await turn()
    assert [answer.wanted for answer in answers] == [False] + [None] * UNREAD_MOST
    with made.reading("one more"):
        await turn()
        assert answers[-1].wanted is True
