"""What a person sees while a part is missing or dies: the truth, and nothing is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from docker.models.containers import Container
from playwright.sync_api import expect

from harness.person import Person
from harness.stack import Stack
from harness.waiting import wait_until

LONG = "Write a very long story about a lighthouse keeper and the sea, with many chapters."


def replica_of(stack: Stack, person: Person) -> Container:
    """The replica behind a person's cookie: nginx's sticky cookie holds the MD5 of the server's address."""
    for container in stack.containers("ui"):
        networks = container.attrs["NetworkSettings"]["Networks"].values()
        if any(hashlib.md5(f"{n['IPAddress']}:7860".encode()).hexdigest() == person.seat for n in networks):
            return container
    raise AssertionError(f"no replica has the cookie {person.seat}")


def three_people_on_three_replicas(arrive: Callable[..., Person]) -> list[Person]:
    people: dict[str, Person] = {}
    for _ in range(12):
        somebody = arrive()
        people.setdefault(somebody.seat, somebody)
        if len(people) == 3:
            return list(people.values())
    raise AssertionError(f"twelve visitors were spread over {len(people)} replicas")


def test_a_killed_replica_costs_nobody_else_anything(arrive: Callable[..., Person], stack: Stack) -> None:
    unlucky, *others = three_people_on_three_replicas(arrive)
    for person in (unlucky, *others):
        person.ask(LONG)
    for person in (unlucky, *others):
        person.sees_growth(10)
    victim = replica_of(stack, unlucky)
    seats = [person.seat for person in others]

    victim.kill()
    try:
        for person in others:
            person.sees_growth(40)
            person.stop.click()
            person.finishes()
            expect(person.questions).to_have_count(1)
        assert [person.seat for person in others] == seats

        expect(unlucky.conversation).to_contain_text("Press Retry")
        expect(unlucky.questions.first).to_contain_text(LONG)
        unlucky.retry.click()
        unlucky.sees_growth()
        unlucky.stop.click()
        unlucky.finishes()
        assert replica_of(stack, unlucky).id != victim.id
    finally:
        victim.start()
        wait_until(lambda: stack.status()["ui"] == {"replicas": 3, "healthy": 3}, "three replicas are back")


def test_while_the_engine_is_away_the_page_says_so_and_keeps_the_question(
    person: Person, stack: Stack
) -> None:
    stack.compose("stop", "tgi")
    try:
        expect(person.banner).to_contain_text("The engine is not running")
        person.ask("What is the capital of France?")
        expect(person.conversation).to_contain_text("The engine is not running")
        expect(person.questions).to_have_count(1)
    finally:
        stack.compose("start", "tgi")
        stack.wait_ready()

    expect(person.banner).to_be_hidden()
    person.retry.click()
    person.finishes()
    expect(person.questions).to_have_count(1)
    expect(person.conversation).not_to_contain_text("The engine is not running")


def test_a_download_that_waits_for_a_line_says_so(person: Person) -> None:
    said = "nothing has come for 3 min; https://hub.example: no answer"
    model = {"stage": "downloading", "bytes_done": 1000, "bytes_total": 2000, "waiting": said}
    status = {"state": "downloading", "message": said, "model": model}
    person.page.route("**/status", lambda route: route.fulfill(json=status))
    person.page.reload()

    expect(person.banner).to_contain_text(said)
    expect(person.banner).not_to_contain_text("2 kB")
