"""More replicas and fewer again while fifty people chat: no answer is cut, nobody is moved without need."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.chats import Chatter, seat_of
from harness.crowd import Crowd, broken, finish, grow
from harness.stack import Stack
from harness.waiting import wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

ANSWER = 24
SHORT = 4  # tokens


@pytest.fixture
def scaled_stack(wide_stack: Stack) -> Iterator[Stack]:
    yield wide_stack
    scale(wide_stack, 3)


def test_scaling_up_and_down_cuts_nobody_off(scaled_stack: Stack, crowd: Crowd) -> None:
    people = crowd.chat(50, ANSWER)
    seats = [person.seat for person in people]
    with crowd.visiting() as visits:  # also while the new replicas are still importing
        scale(scaled_stack, 5)
        newcomers = arrive_elsewhere(crowd, set(seats), 20)
        finish(people)
    assert broken(people) == []
    crowd.reload(people)
    assert [person.seat for person in people] == seats
    assert set(visits) == {200}

    chatting = [*people[:30], *newcomers]
    crowd.ask(chatting, ANSWER)
    grow(chatting)
    with ThreadPoolExecutor() as pool, crowd.visiting() as visits:
        scaling = pool.submit(scale, scaled_stack, 3)
        finish(chatting)
        assert broken(chatting) == []
        crowd.ask(newcomers, SHORT)
        crowd.reload(people)
        finish(newcomers)
        assert broken(newcomers) == [], "those of a replica that leaves go on"
        scaling.result()
    left = {seat_of(replica) for replica in scaled_stack.containers("ui")}
    crowd.reload(newcomers)
    assert {person.seat for person in newcomers} <= left
    assert [person.seat for person in people] == seats
    assert set(visits) == {200}


def scale(stack: Stack, replicas: int) -> None:
    done = stack.appliance("scale", f"ui={replicas}")
    assert done.returncode == 0, done.stdout + done.stderr
    everybody = {"replicas": replicas, "healthy": replicas}
    wait_until(lambda: stack.status()["ui"] == everybody, f"{replicas} replicas answer")


def arrive_elsewhere(crowd: Crowd, seats: set[str], count: int) -> list[Chatter]:
    """New people, so many of them on replicas with other seats."""
    found: list[Chatter] = []

    def enough() -> bool:
        found.extend(person for person in crowd.arrive(6) if person.seat not in seats)
        return len(found) >= count

    wait_until(enough, "newcomers reach the new replicas")
    return found[:count]
