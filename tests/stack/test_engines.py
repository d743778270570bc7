"""Two engines behind the one door: a conversation keeps its own, the rest is spread, and either may go."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from docker.models.containers import Container

from harness.caller import Caller, Stream, caller, counting
from harness.crowd import Crowd, finish
from harness.stack import Stack, gauge, running
from harness.waiting import wait_until

SHORT = 4  # tokens
LONG = 300  # tokens of an answer that others are asked beside
TURNS = 3
CHAT = {"model": "tgi", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": SHORT}
MANY = 3  # of the four that an engine writes at a time
# where nothing is done an engine is drawn by lot: so many do not all draw the same one
IDS = [f"talk-{number}" for number in range(14)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An appliance with two engines and two chat replicas."""
    with Stack(tmp_path_factory.mktemp("pair"), {"TGI_REPLICAS": "2", "UI_REPLICAS": "2"}) as appliance:
        appliance.up()
        yield appliance


@pytest.fixture(scope="module")
def program(pair: Stack) -> Iterator[Caller]:
    with caller(pair, "program") as made:
        yield made


@pytest.fixture
def talks(program: Caller) -> list[Caller]:
    """The program in several conversations."""
    return [replace(program, conversation=conversation) for conversation in IDS]


def test_a_conversation_keeps_its_engine(pair: Stack, talks: list[Caller]) -> None:
    turns = [[engine_of(pair, talk) for talk in talks] for _ in range(TURNS)]
    assert turns[1:] == turns[:1] * (TURNS - 1)
    assert set(turns[0]) == set(engines(pair)), "both engines have conversations"


def test_a_conversation_by_openais_api_keeps_the_same_engine(pair: Stack, talks: list[Caller]) -> None:
    """openai-api stands between: it passes on whose conversation it is."""
    for talk in talks[:4]:
        expected = engine_of(pair, talk)
        before = {address: gauge(engine, "tgi_request_count") for address, engine in engines(pair).items()}
        for _ in range(TURNS):
            assert talk.post("/v1/chat/completions", CHAT).status_code == 200
        after = {address: gauge(engine, "tgi_request_count") for address, engine in engines(pair).items()}
        assert {address for address in after if after[address] != before[address]} == {expected}


def test_what_belongs_to_no_conversation_goes_where_least_is_done(pair: Stack, program: Caller) -> None:
    """As does an id that could not be one."""
    stray = replace(program, conversation="no id at all")
    with working(pair, program) as busy:
        assert {engine_of(pair, stray) for _ in range(TURNS)}.isdisjoint({busy})
        with working(pair, program) as second:
            assert second != busy


def test_an_id_is_its_accounts_own(pair: Stack, program: Caller) -> None:
    with caller(pair, "other") as other:
        ours, theirs = (replace(someone, conversation="the-same") for someone in (program, other))
        with working(pair, program) as busy:
            (free,) = set(engines(pair)) - {busy}
            assert engine_of(pair, ours) == free
        with working(pair, ours) as busy:
            assert busy == free
            assert engine_of(pair, theirs) != free
        assert engine_of(pair, ours) == free


def test_the_pages_conversations_keep_their_engines_too(pair: Stack) -> None:
    with Crowd(pair.url) as crowd:
        (person,) = crowd.arrive(1)
        with generations(pair) as seen:
            for _ in range(TURNS):
                crowd.ask([person], SHORT)
                finish([person])
        assert [answer.whole for answer in person.answers] == [True] * TURNS
        wait_until(lambda: len(seen()) == TURNS, "the log has every turn")
        assert len(set(seen())) == 1

        def newcomers_reach_both() -> bool:
            newcomers = crowd.arrive(2)
            crowd.ask(newcomers, SHORT)
            finish(newcomers)
            return set(seen()) == set(engines(pair))

        wait_until(newcomers_reach_both, "newcomers reach both engines")


def test_a_reload_moves_no_conversation(pair: Stack, talks: list[Caller]) -> None:
    before = [engine_of(pair, talk) for talk in talks]
    done = pair.appliance("reload")
    assert done.returncode == 0, done.stderr
    assert [engine_of(pair, talk) for talk in talks] == before


def test_a_killed_engines_conversations_go_on_at_the_other(pair: Stack, talks: list[Caller]) -> None:
    before = {talk: engine_of(pair, talk) for talk in talks}
    gone = before[talks[0]]
    (left,) = set(before.values()) - {gone}
    staying = next(talk for talk in talks if before[talk] == left)
    victim = engines(pair)[gone]
    with counting_on(staying) as others:
        victim.kill()
        try:
            assert {engine_of(pair, talk) for talk in talks} == {left}
            assert pair.status()["state"] == "ready"
            assert is_whole(others), "the other engine's answers go on"
        finally:
            victim.start()
    # it refuses connections while it loads; nobody is told
    while not running(victim)():
        assert {talk.post("/generate", counting(1)).status_code for talk in talks} == {200}
    newcomers = (replace(talks[0], conversation=f"newcomer-{number}") for number in count())
    wait_until(lambda: engine_of(pair, next(newcomers)) != left, "both are used again")
    assert {engine_of(pair, talk) for talk in talks} == {left}, "nobody is moved back"


def test_an_engine_fewer_cuts_nothing(pair: Stack, talks: list[Caller]) -> None:
    """The last one here: one engine is left."""
    newcomers = (replace(talks[0], conversation=f"late-{number}") for number in count())
    elsewhere = next(talk for talk in newcomers if engine_of(pair, talk) != engine_of(pair, talks[0]))
    with counting_on(talks[0]) as one, counting_on(elsewhere) as another:
        pair.env_file.write_text(pair.env_file.read_text().replace("TGI_REPLICAS=2", "TGI_REPLICAS=1"))
        removal = threading.Thread(target=pair.up, daemon=True)
        removal.start()
        assert [is_whole(stream) for stream in (one, another)] == [True, True]
        removal.join()
    (only,) = engines(pair)
    assert {engine_of(pair, talk) for talk in talks} == {only}


def is_whole(stream: Stream) -> bool:
    """Whether the answer, read to its end, has all its tokens and TGI's last frame."""
    stream.read_all()
    return len(stream.frames) == LONG and stream.frames[-1]["generated_text"] is not None


def engines(stack: Stack) -> dict[str, Container]:
    """The running engines by their addresses, as nginx's log has them."""
    found = {}
    for container in stack.containers("tgi"):
        (network,) = container.attrs["NetworkSettings"]["Networks"].values()
        found[f"{network['IPAddress']}:3000"] = container
    return found


def engine_of(stack: Stack, program: Caller) -> str:
    """The address of the engine that answers the program's next question."""
    response = program.post("/generate", counting(SHORT))
    assert response.status_code == 200, response.text
    mine = response.headers["X-Request-ID"]
    found: list[str] = []

    def logged() -> bool:
        found[:] = [line["upstream"] for line in door_log(stack) if line["id"] == mine]
        return bool(found)

    wait_until(logged, "the request is in nginx's log")
    # where an engine was tried in vain there are several
    return re.split("[, ]+(?:: )?", found[0])[-1]


def door_log(stack: Stack) -> list[dict[str, Any]]:
    lines = stack.container("nginx").logs(tail=200).splitlines()
    return [json.loads(line) for line in lines if line.startswith(b"{")]


@contextmanager
def generations(stack: Stack) -> Iterator[Callable[[], list[str]]]:
    """Yields a function: the engines of the page's answers that were finished since."""
    before = {line["id"] for line in door_log(stack)}

    def seen() -> list[str]:
        return [
            line["upstream"]
            for line in door_log(stack)
            if line["path"] == "/generate_stream" and line["id"] not in before
        ]

    yield seen


@contextmanager
def counting_on(program: Caller) -> Iterator[Stream]:
    """An answer that is being written; it is cut at the block's end, if not before."""
    stream = program.count_on(LONG)
    stream.read(1)
    try:
        yield stream
    finally:
        stream.close()


@contextmanager
def working(stack: Stack, program: Caller) -> Iterator[str]:
    """The address of an engine that writes more long answers than others ask it about its health."""
    talk = program if program.conversation else replace(program, conversation=f"busy-{secrets.token_hex(3)}")
    idle = {at for at, engine in engines(stack).items() if gauge(engine, "tgi_batch_current_size") == 0}
    with ExitStack() as answers:
        for _ in range(MANY):
            answers.enter_context(counting_on(talk))
        (busy,) = (at for at in idle if gauge(engines(stack)[at], "tgi_batch_current_size") == MANY)
        yield busy
    wait_until(lambda: gauge(engines(stack)[busy], "tgi_batch_current_size") == 0, "it has noticed")
