"""Who brings which part of a file: by what each carried so far, and without waiting for anybody."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_init.file_list import Digest, ListedFile
from model_init.rate import RateMeter
from model_init.sources import shares as module
from model_init.sources.place import Place
from model_init.sources.shares import Share, Shares
from model_init.sources.stream import deliver
from model_init.sources.throttle import Throttle
from model_init.volume.sink import Sink

DATA = bytes(range(256)) * 40_000
FILE = ListedFile("x.bin", len(DATA), Digest("sha256", hashlib.sha256(DATA).hexdigest()))
now = [0.0]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path / "x.partial", FILE) as opened:
        yield opened


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still unless a test moves it."""
    now[0] = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "RateMeter", lambda: RateMeter(clock=lambda: now[0]))


@pytest.fixture
def taken(sink: Sink) -> Callable[[str, float], Share]:
    shares = Shares(FILE, sink)

    def take(giver: str, rate: float = 0) -> Share:
        share = shares.take(giver, rate)
        assert share is not None
        return share

    return take


def bring(share: Share, count: int) -> bool:
    return share.write(memoryview(DATA)[share.position : share.position + count])


def test_the_first_gets_all_and_the_next_takes_over_the_part_that_it_is_good_for(
    taken: Callable[..., Share],
) -> None:
    slow = taken("slow")
    assert (slow.position, slow.stop, slow.to_the_end) == (0, len(DATA), True)
    now[0] += 1
    bring(slow, 100_000)
    fast = taken("fast", 900_000)

    assert fast.stop == len(DATA)
    assert slow.stop == fast.position == 100_000 + (len(DATA) - 100_000) // 10


def test_of_one_whose_speed_nobody_knows_half_is_taken_over(taken: Callable[..., Share]) -> None:
    first = taken("first")
    assert taken("second").position == first.stop == len(DATA) // 2


def test_all_is_taken_over_from_a_silent_one_and_what_it_sends_then_is_not_written(
    taken: Callable[..., Share], sink: Sink
) -> None:
    silent = taken("silent")
    bring(silent, 1000)
    now[0] += module.SILENT_S + 1
    other = taken("other")

    assert (other.position, other.stop) == (1000, len(DATA))
    assert not bring(silent, 5000)
    assert sink.size == 1000


def test_what_one_did_not_bring_is_free_before_others_are_robbed(sink: Sink) -> None:
    shares = Shares(FILE, sink)
    first, second = shares.take("first", 0), shares.take("second", 0)
    assert first and second
    bring(first, 1000)
    shares.end(first)
    third = shares.take("third", 0)

    assert third is not None
    assert (third.position, third.stop) == (1000, second.position)


def test_what_is_soon_done_is_left_alone(sink: Sink) -> None:
    shares = Shares(FILE, sink)
    first = shares.take("first", 0)
    assert first
    now[0] += 1
    bring(first, len(DATA) // 2)

    assert shares.take("second", 10.0**9) is None


def test_parts_of_several_make_the_whole(taken: Callable[..., Share], sink: Sink) -> None:
    first = taken("first")
    second = taken("second")
    third = taken("third")
    for share in (second, third, first):
        while bring(share, 1_000_000):
            pass

    assert sink.gaps() == []
    assert sink.found().sha256 == hashlib.sha256(DATA).hexdigest()
    assert set(sink.givers()) == {"first", "second", "third"}


def test_nothing_is_written_after_the_end(sink: Sink) -> None:
    shares = Shares(FILE, sink)
    share = shares.take("first", 0)
    assert share
    shares.close()

    assert not bring(share, 1000)
    assert sink.size == 0


def test_only_one_that_is_alone_may_start_over(sink: Sink) -> None:
    shares = Shares(FILE, sink)
    first = shares.take("first", 0)
    second = shares.take("second", 0)
    assert first and second
    bring(first, 1000)
    assert not second.start_over()
    shares.end(first)

    assert second.start_over()
    assert (second.position, second.stop, sink.size) == (0, len(DATA), 0)


def test_for_what_was_taken_over_meanwhile_nobody_is_asked_and_nothing_is_given_up(sink: Sink) -> None:
    shares = Shares(FILE, sink)
    late = shares.take("late", 0)
    assert late
    now[0] += module.SILENT_S + 1
    other = shares.take("other", 0)
    assert other
    while bring(other, 1_000_000):
        pass
    place = Place("late", "http://late.invalid", "acme/x", None)
    deliver(place, "http://late.invalid/x.bin", late, FILE, stall_s=1, throttle=Throttle(None))

    assert not late.start_over()
    assert sink.size == len(DATA)


def test_a_part_that_was_just_taken_over_is_not_snatched_away(taken: Callable[..., Share]) -> None:
    first = taken("first", 100_000)
    second = taken("second", 100_000)
    third = taken("third", 100_000)

    assert min(share.left for share in (first, second, third)) >= len(DATA) // 4
