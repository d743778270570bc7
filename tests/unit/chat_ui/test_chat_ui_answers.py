"""An answer goes on without its page, for its person only, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

import pytest

from chat_ui import answers
from chat_ui.answers import Answer, Answers


class Pen:
    """Writes an answer a word at a time, when it is told to."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[str | None] = asyncio.Queue()
        self.ended = False
        self.stopped = False

    async def views(self) -> AsyncGenerator[str, None]:
        written = ""
        try:
            while (word := await self.words.get()) is not None:
                written += word
                yield written
            self.ended = True
        finally:
            self.stopped = not self.ended


@pytest.fixture
async def made() -> AsyncGenerator[Answers[str], None]:
    found: Answers[str] = Answers(len)
    yield found
    await found.close()


async def turn() -> None:
    """Let everybody run until there is nothing to do but wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.01)


async def write(made: Answers[str], owner: str | None, conversation: str, *words: str) -> Pen:
    """Begin an answer that has got so far."""
    pen = Pen()
    made.begin(owner, conversation, "t", pen.views())
    for word in words:
        pen.words.put_nowait(word)
    await turn()
    return pen


def found(made: Answers[str], owner: str | None, conversation: str) -> Answer[str]:
    answer = made.find(owner, conversation, "t")
    assert answer is not None
    return answer


async def test_it_is_read_as_it_is_written_to_its_end(made: Answers[str]) -> None:
    pen = await write(made, "alice", "c1", "The ")
    views = made.read(found(made, "alice", "c1"))
    assert await anext(views) == "The "
    coming = asyncio.ensure_future(anext(views))
    await turn()
    assert not coming.done()
    pen.words.put_nowait("end")
    assert await coming == "The end"
    pen.words.put_nowait(None)
    assert [view async for view in views] == []


async def test_it_goes_on_without_its_reader_who_finds_it_where_it_is(made: Answers[str]) -> None:
    pen = await write(made, None, "c1", "a")
    async with aclosing(made.read(found(made, None, "c1"))) as views:
        assert await anext(views) == "a"
    for word in ("b", "c", None):
        pen.words.put_nowait(word)
    await turn()
    assert pen.ended
    assert [view async for view in made.read(found(made, None, "c1"))] == ["abc"]


async def test_two_pages_read_one_answer(made: Answers[str]) -> None:
    pen = await write(made, "alice", "c1", "a")
    here, there = (made.read(found(made, "alice", "c1")) for _ in range(2))
    assert [await anext(here), await anext(there)] == ["a", "a"]
    await here.aclose()
    for word in ("b", None):
        pen.words.put_nowait(word)
    assert [view async for view in there] == ["ab"]


@pytest.mark.parametrize(
    ("owner", "conversation"), [("bob", "c1"), (None, "c1"), ("alice", "c2"), ("", "c1")]
)
async def test_nobody_finds_somebody_elses(made: Answers[str], owner: str | None, conversation: str) -> None:
    await write(made, "alice", "c1", "a")
    assert made.find(owner, conversation, "t") is None


async def test_what_was_asked_before_is_not_the_answer_that_is_found(made: Answers[str]) -> None:
    await write(made, "alice", "c1", "a")
    assert made.find("alice", "c1", "another turn") is None


async def test_who_stops_it_ends_it_and_its_readers_hear_of_it(made: Answers[str]) -> None:
    pen = await write(made, "alice", "c1", "a")
    views = made.read(found(made, "alice", "c1"))
    await anext(views)
    made.end(found(made, "alice", "c1"))
    assert [view async for view in views] == []
    assert pen.stopped
    assert made.find("alice", "c1", "t") is None


async def test_one_that_is_stopped_before_it_began_ends_for_its_reader_too(made: Answers[str]) -> None:
    answer = made.begin("alice", "c1", "t", Pen().views())
    reading = asyncio.ensure_future(anext(made.read(answer), "nothing"))
    made.end(answer)
    assert await reading == "nothing"


async def test_the_next_answer_of_a_conversation_takes_its_place(made: Answers[str]) -> None:
    former = await write(made, "alice", "c1", "old")
    latter = await write(made, "alice", "c1", "new")
    await until(lambda: former.stopped)
    assert await anext(made.read(found(made, "alice", "c1"))) == "new"
    assert not latter.stopped


async def test_a_former_one_that_somebody_reads_goes_on_as_long_as_he_does(made: Answers[str]) -> None:
    former = await write(made, "alice", "c1", "old")
    views = made.read(found(made, "alice", "c1"))
    assert await anext(views) == "old"
    await write(made, "alice", "c1", "new")
    former.words.put_nowait("er")
    assert await anext(views) == "older"
    await views.aclose()
    former.words.put_nowait(None)
    await turn()
    assert await anext(made.read(found(made, "alice", "c1"))) == "new"


async def test_one_that_nobody_reads_ends_and_what_it_has_is_kept(
    made: Answers[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LONE_SECONDS", 0.05)
    pen = await write(made, "alice", "c1", "a")
    async with aclosing(made.read(found(made, "alice", "c1"))) as views:
        await anext(views)
        await asyncio.sleep(0.1)
        assert not pen.stopped
    await until(lambda: pen.stopped)
    assert [view async for view in made.read(found(made, "alice", "c1"))] == ["a"]


async def test_one_that_has_ended_is_forgotten(made: Answers[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "KEPT_SECONDS", 0.05)
    pen = await write(made, "alice", "c1", "a")
    pen.words.put_nowait(None)
    await until(lambda: made.find("alice", "c1", "t") is None)


async def test_of_too_many_of_one_person_the_oldest_goes(made: Answers[str]) -> None:
    others = await write(made, "bob", "c0", "a")
    pens = [await write(made, "alice", f"c{n}", "a") for n in range(answers.LONE_OF_A_PERSON + 1)]
    await until(lambda: pens[0].stopped)
    assert not any(pen.stopped for pen in (*pens[1:], others))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(answers, "LONE_MOST", 3)
    monkeypatch.setattr(answers, "LONE_BYTES", 10)
    yield


@pytest.mark.usefixtures("few")
async def test_of_too_many_without_a_reader_the_oldest_goes(made: Answers[str]) -> None:
    read = await write(made, None, "read", "a")
    views = made.read(found(made, None, "read"))
    await anext(views)
    pens = [await write(made, None, f"c{n}", "a") for n in range(4)]
    await until(lambda: pens[0].stopped)
    assert not any(pen.stopped for pen in (read, *pens[1:]))
    await views.aclose()


@pytest.mark.usefixtures("few")
async def test_of_too_much_text_without_a_reader_the_oldest_goes(made: Answers[str]) -> None:
    first = await write(made, None, "c1", "123456")
    second = await write(made, None, "c2", "123456")
    await write(made, None, "c3")
    await until(lambda: first.stopped)
    assert not second.stopped


async def test_all_of_them_end_with_the_replica(made: Answers[str]) -> None:
    pens = [await write(made, None, f"c{n}", "a") for n in range(3)]
    await made.close()
    assert all(pen.stopped for pen in pens)
    assert made.find(None, "c0", "t") is None
