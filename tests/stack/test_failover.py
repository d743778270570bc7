"""Parts die, hang, restart and reload while fifty people chat: answers are lost only with what died."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from docker.models.containers import Container

from harness.chats import HANG_SECONDS, Chatter, seat_of
from harness.crowd import Crowd, broken, finish
from harness.stack import Stack, said_inside
from harness.waiting import wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

PEOPLE = 50
ANSWER = 24
SHORT = 4  # tokens
CHAT = {"model": "tgi", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 5}


def test_a_killed_replica_loses_its_own_answers_and_nobody_elses(wide_stack: Stack, crowd: Crowd) -> None:
    people = crowd.chat(PEOPLE, ANSWER)
    with one_replica(wide_stack, crowd, people) as victim:
        seat = seat_of(victim)
        unlucky, others = by_seat(people, seat)
        seats = [person.seat for person in others]

        victim.kill()
        finish(unlucky)
        assert broken(unlucky), "the control: somebody was in mid-answer"
        crowd.ask(unlucky, SHORT)
        finish(people)

        assert broken(others) == []
        assert [person.seat for person in others] == seats
        assert broken(unlucky) == [], "they go on at the next message"
        assert seat not in {person.seat for person in unlucky}


def test_a_restarted_replica_finishes_its_answers_first(wide_stack: Stack, crowd: Crowd) -> None:
    people = crowd.chat(PEOPLE, ANSWER)
    with one_replica(wide_stack, crowd, people) as replica, crowd.visiting() as visits:
        leaving, others = by_seat(people, seat_of(replica))
        seats = [person.seat for person in others]

        # with the container's own grace period, as Compose and the command line have it
        restart = subprocess.Popen(["docker", "restart", str(replica.id)], stdout=subprocess.DEVNULL)
        wait_until(lambda: any(person.answer.over for person in leaving), "the first answer ends")
        early = [person for person in leaving if person.answer.over]
        assert broken(early) == []
        crowd.ask(early, SHORT)  # while the others' answers are still being written
        finish(people)
        assert broken(people) == []
        crowd.reload(others)
        assert [person.seat for person in others] == seats
        assert restart.wait(HANG_SECONDS) == 0
    assert set(visits) == {200}


def test_a_hung_replica_is_left_at_the_next_request(wide_stack: Stack, crowd: Crowd) -> None:
    people = crowd.chat(PEOPLE, ANSWER)
    with one_replica(wide_stack, crowd, people) as hung, crowd.visiting() as visits:
        seat = seat_of(hung)
        stuck, others = by_seat(people, seat)
        seats = [person.seat for person in others]

        signal_service(hung, signal.SIGSTOP)
        try:
            crowd.ask(stuck[::2], SHORT)  # some write on, the others reload the page first
            crowd.reload(stuck[1::2])
            crowd.ask(stuck[1::2], SHORT)
            finish(people)

            assert broken(people) == []
            assert seat not in {person.seat for person in stuck}
            assert [person.seat for person in others] == seats
            assert wide_stack.status()["ui"] == {"replicas": 3, "healthy": 2}
        finally:
            signal_service(hung, signal.SIGCONT)
    assert set(visits) == {200}


def test_a_reload_of_nginx_is_not_noticed(wide_stack: Stack, crowd: Crowd) -> None:
    people = crowd.chat(PEOPLE, ANSWER)
    seats = [person.seat for person in people]
    with crowd.visiting() as visits:
        for _ in range(2):
            done = wide_stack.appliance("reload")
            assert done.returncode == 0, done.stderr
        newcomers = crowd.chat(3, SHORT)
        finish([*people, *newcomers])
        assert broken([*people, *newcomers]) == []
        crowd.reload(people)
        assert [person.seat for person in people] == seats
    assert set(visits) == {200}


def test_while_the_engine_restarts_everybody_is_told_and_goes_on_afterwards(
    wide_stack: Stack, crowd: Crowd
) -> None:
    people = crowd.chat(PEOPLE, ANSWER)
    wait_until(lambda: phases(wide_stack) == {"ready"}, "every replica has seen the engine well")
    engine = wide_stack.container("tgi")
    engine.kill()
    try:
        finish(people)
        assert {person.answer.lost for person in people} == {""}
        ended = broken(people)
        assert ended, "the control: somebody was in mid-answer"
        assert [answer for answer in ended if "The answer was cut off" not in answer] == []

        wait_until(lambda: phases(wide_stack) == {"gone"}, "every replica knows that no engine runs")
        assert refusal(wide_stack) == "engine_gone"
        crowd.ask(people[:1], SHORT)
        finish(people[:1])
        assert "The engine is not running" in people[0].answer.note
    finally:
        engine.start()
    told = [refusal(wide_stack)]

    def answers() -> bool:
        told.append(refusal(wide_stack))
        return told[-1] == ""

    wait_until(answers, "the engine is back")
    assert "engine_restarting" in told
    crowd.ask(people[:10], SHORT)
    finish(people[:10])
    assert broken(people[:10]) == []
    wide_stack.wait_ready()


def phases(stack: Stack) -> set[str]:
    """How the engine stands, by each of the replicas."""
    cookies = [{stack.seat_cookie: seat_of(replica)} for replica in stack.containers("ui")]
    return {
        requests.get(f"{stack.url}/status", cookies=c, timeout=30).json()["engine"]["phase"] for c in cookies
    }


def refusal(stack: Stack) -> str:
    """What an API client is told now, as OpenAI's error code; nothing when it is served."""
    response = requests.post(f"{stack.url}/v1/chat/completions", json=CHAT, timeout=60)
    if response.status_code == 200:
        return ""
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return str(error["code"])


@contextmanager
def one_replica(stack: Stack, crowd: Crowd, people: list[Chatter]) -> Iterator[Container]:
    """One of the three, with somebody in mid-answer; afterwards it runs and is used as before."""
    last = min(people, key=lambda person: len(person.answer.text))
    (replica,) = (container for container in stack.containers("ui") if seat_of(container) == last.seat)
    try:
        yield replica
    finally:
        replica.start()
        three = {seat_of(container) for container in stack.containers("ui")}
        wait_until(lambda: {p.seat for p in crowd.arrive(6)} == three, "newcomers reach all three replicas")


def signal_service(container: Container, number: signal.Signals) -> None:
    """To the service's own process, which is the only child of Docker's init."""
    script = f"import os; os.kill(int(open('/proc/1/task/1/children').read().split()[0]), {int(number)})"
    said_inside(container, "python3", "-c", script)


def by_seat(people: list[Chatter], seat: str) -> tuple[list[Chatter], list[Chatter]]:
    """Those on the replica, and the others."""
    return [p for p in people if p.seat == seat], [p for p in people if p.seat != seat]
