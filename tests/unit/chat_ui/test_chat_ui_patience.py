"""When a question that waits is asked again."""

from __future__ import annotations

from chat_ui.patience import Patience


def test_pauses_grow_and_end() -> None:
    patience = Patience(first=1, longest=8, whole=30)
    pauses: list[float] = []
    while (pause := patience.pause(len(pauses) + 1, sum(pauses), None)) is not None:
        pauses.append(pause)
    assert pauses == [1, 2, 4, 8, 8]


def test_the_engines_own_word_is_obeyed() -> None:
    patience = Patience(first=1, longest=8, whole=30)
    assert patience.pause(1, 0, 5) == 5
    assert patience.pause(4, 0, 5) == 8, "it is the least"
    assert patience.pause(1, 0, 20) == 20, "also above the longest of our own"
    assert patience.pause(1, 11, 20) is None, "but not beyond the end"


def test_a_person_waits_ten_minutes() -> None:
    patience = Patience()
    assert patience.pause(50, 585, None) == 15
    assert patience.pause(50, 586, None) is None
