"""What an account may ask for: a rate, a number of answers at a time, tokens a day; exact to the request."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

from harness import figures
from harness.caller import COUNTING, Caller, Stream, caller, callers, counting, works
from harness.stack import Stack, run_inside, said_inside
from harness.waiting import wait_until

TOKENIZE = "/tokenize", {"inputs": COUNTING}  # a quick POST
COMPLETIONS = "/v1/completions", {"model": "tgi", "prompt": COUNTING, "max_tokens": 1}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(guarded: Stack) -> Iterator[None]:
    """Every place that was taken has been given back when the test is over, whichever way requests ended."""
    yield
    wait_until(lambda: figures.running(guarded) == {}, "nothing is in flight", deadline_s=60)


def split(answers: list[requests.Response]) -> tuple[list[requests.Response], list[requests.Response]]:
    """Those that passed and those that were refused; nothing else came back."""
    assert {answer.status_code for answer in answers} <= {200, 429}
    passed = [answer for answer in answers if answer.status_code == 200]
    return passed, [answer for answer in answers if answer.status_code == 429]


def left(span: timedelta) -> float:
    """Seconds until this minute or day is over, in UTC."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return (span - (now - midnight) % span).total_seconds()


def test_the_rate_is_exact(guarded: Stack) -> None:
    with callers(guarded, {"seven": ("--rpm", "7"), "free": ()}) as (seven, free):
        before = left(MINUTE)
        passed, refused = split(seven.at_once(30, *TOKENIZE))
        # a place is free again when the next minute has let go of one of seven; had the 23 counted, far later
        latest = max(before, left(MINUTE)) + 60 / 7 + 2
        assert (len(passed), len(refused)) == (7, 23)
        for answer in refused:
            assert answer.json()["code"] == "rate_limited"
            assert 1 <= int(answer.headers["retry-after"]) <= latest

        passed, refused = split(seven.at_once(5, *COMPLETIONS))
        assert (len(passed), len(refused)) == (0, 5)
        error = refused[0].json()["error"]
        assert (error["type"], error["param"], error["code"]) == ("requests", None, "rate_limit_exceeded")
        assert {seven.get(path).status_code for path in ("/v1/models", "/info")} == {200}, "only POSTs count"
        assert {answer.status_code for answer in free.at_once(10, *TOKENIZE)} == {200}

        wait_until(
            lambda: figures.used(guarded, seven.account) == {**figures.NOTHING, "requests": 7, "refused": 28},
            "what passed and what was refused is booked",
        )
        assert figures.used(guarded, free.account) == {**figures.NOTHING, "requests": 10}


def crowd(someone: Caller, count: int) -> tuple[list[Stream], list[Stream]]:
    """So many long streams opened at once: those that run, and those that were refused."""
    with ThreadPoolExecutor(count) as pool:
        streams = list(pool.map(lambda _: someone.count_on(), range(count)))
    assert {stream.status for stream in streams} <= {200, 429}
    return [s for s in streams if s.status == 200], [s for s in streams if s.status == 429]


def one_more(someone: Caller, tokens: int) -> Stream:
    """A stream that starts as soon as there is a place for it."""
    opened: list[Stream] = []

    def starts() -> bool:
        opened.append(someone.count_on(tokens))
        return opened[-1].status == 200

    wait_until(starts, "a place has become free")
    return opened[-1]


def test_the_number_at_a_time_is_exact(guarded: Stack) -> None:
    with caller(guarded, "three", "--concurrent", "3") as three:
        run, refused = crowd(three, 10)
        assert (len(run), len(refused)) == (3, 7)
        for stream in refused:
            assert stream.response.json()["code"] == "too_many_running"
            assert int(stream.response.headers["retry-after"]) >= 1
        assert figures.running(guarded) == {three.account: 3}
        answer = three.post(*COMPLETIONS)
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "concurrency_limit_exceeded"

        run.pop().close()
        run.append(one_more(three, 20))
        assert three.count_on().status == 429, "one place became free, not two"

        run[-1].read_all()
        run[-1] = one_more(three, 20)
        assert three.count_on().status == 429, "one place became free, not two"
        for stream in run:
            stream.close()
    wait_until(lambda: guarded.engine_gauge("tgi_batch_current_size") == 0, "the engine has stopped, too")


def test_the_daily_budget(guarded: Stack) -> None:
    with caller(guarded, "thrifty", "--daily-tokens", "20") as thrifty:
        answer = thrifty.post("/generate", counting(20))
        assert answer.status_code == 200
        longest = left(DAY)
        wait_until(lambda: thrifty.post(*TOKENIZE).status_code == 429, "the budget is spent")
        refused = thrifty.post(*TOKENIZE)
        assert refused.json()["code"] == "budget_spent"
        until_midnight = int(refused.headers["retry-after"])
        assert left(DAY) <= until_midnight <= longest + 1 or left(DAY) > longest
        error = thrifty.post(*COMPLETIONS).json()["error"]
        assert (error["type"], error["code"]) == ("tokens", "insufficient_quota")
        assert thrifty.get("/v1/models").status_code == 200

        budget = str(int(answer.headers["x-prompt-tokens"]) + 20 + 1)
        assert guarded.appliance("keys", "revoke", thrifty.name, "--yes").returncode == 0
        richer = Caller(guarded.url, thrifty.name, guarded.add_key(thrifty.name, "--daily-tokens", budget))
        wait_until(lambda: works(richer), "the new key opens the door")
        assert richer.post("/generate", counting(1)).status_code == 200, "a larger budget counts at once"
        wait_until(lambda: richer.post(*TOKENIZE).status_code == 429, "the larger budget is spent, too")


def test_a_reload_keeps_the_counts(guarded: Stack) -> None:
    with caller(guarded, "reloaded", "--rpm", "6", "--concurrent", "2") as someone:
        stream = someone.count_on()
        assert {answer.status_code for answer in someone.at_once(1, *TOKENIZE)} == {200}
        workers = worker_processes(guarded)
        said_inside(guarded.container("nginx"), "/etc/nginx/apply")
        wait_until(lambda: worker_processes(guarded) - workers, "there are new workers")

        assert figures.running(guarded) == {someone.account: 1}
        second = someone.count_on()
        assert (second.status, someone.count_on().status) == (200, 429)
        stream.read(5)
        stream.close()
        second.close()
        figures.wait_idle(guarded, someone.account)
        answers = [someone.post(*TOKENIZE).status_code for _ in range(5)]
        assert answers == [200, 200, 200, 429, 429], "three were asked before"


def test_a_worker_that_dies_takes_no_place_with_it(guarded: Stack) -> None:
    with caller(guarded, "unlucky", "--concurrent", "3") as someone:
        run, _ = crowd(someone, 3)
        assert figures.running(guarded) == {someone.account: 3}
        kill = f"kill -9 {' '.join(worker_processes(guarded))}"
        said_inside(guarded.container("nginx"), "bash", "-c", kill)
        figures.wait_idle(guarded, someone.account)
        for stream in run:
            stream.close()
        run, refused = crowd(someone, 4)
        assert (len(run), len(refused)) == (3, 1)
        for stream in run:
            stream.close()


def worker_processes(stack: Stack) -> set[str]:
    """The process ids of nginx's workers, old ones that still serve included."""
    search = "grep -l 'worker [p]rocess' /proc/[0-9]*/cmdline"
    _, found = run_inside(stack.container("nginx"), "bash", "-c", search)
    return {path.split("/")[2] for path in found.split()}
