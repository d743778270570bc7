"""The rate, from the bytes of the last seconds."""

from __future__ import annotations

import pytest

from model_init.rate import RateMeter


def test_bytes_that_were_there_are_no_part_of_the_rate() -> None:
    now = [0.0]
    meter = RateMeter(clock=lambda: now[0])
    meter.skip(10**9)
    now[0] = 2

    assert meter.update(10**9 + 100) == pytest.approx(50)


def test_the_rate_follows_the_last_seconds() -> None:
    now = [0.0]
    meter = RateMeter(clock=lambda: now[0])
    meter.restart(5000)
    done = 5000
    rates = []
    for speed in [100] * 20 + [1000] * 20:
        now[0] += 1
        done += speed
        rates.append(meter.update(done) or 0)

    assert rates[:20] == pytest.approx([100] * 20)
    assert 100 < rates[21] < 1000
    assert rates[39] == pytest.approx(1000, rel=0.05)
