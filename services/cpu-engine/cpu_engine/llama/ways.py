"""In how many ways a text can be read by an expression: what llama.cpp spends on every token that it knows.

For each token it follows all ways through the grammar that spell it, one after the other, and where several
parts of an expression may be skipped their number multiplies with every character: with forty optional
letters in a row nobody's token came in half a minute. So the ways are counted here, before; for tokens of one
kind of character each (`KINDS`), as nearly all long ones are.

Pure, no I/O; what an expression looks like is `gbnf`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

LENGTH = 6
"""Characters of a token that are looked at; longer ones are few."""
MAX_WAYS = 8_000
"""So many cost some tenths of a second for each token that is written; JSON of any kind has fewer."""
KINDS = ("letter", "digit", "blank", "mark", "foreign")
_MANY = 1e15
_COPIES = 40
"""Of a repetition; with more the ways are too many already, or no character of a token is left for them."""

Counts = tuple[tuple[float, ...], ...]
"""By kind, and then for 0, 1, … `LENGTH` characters of it."""

_NONE: Counts = ((0.0,) * (LENGTH + 1),) * len(KINDS)
_EMPTY: Counts = tuple((1.0, *counts[1:]) for counts in _NONE)


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways through a part of an expression.

    Attributes:
        through: from its start to its end.
        into: from its start to a character in it, each as often as llama.cpp compares to pass it.
        rest: from wherever before its end there are most, to that.
        onward: from wherever in it there are most, to a character in it.
    """

    through: Counts
    into: Counts
    rest: Counts
    onward: Counts

    @property
    def most(self) -> float:
        """For a token of any length and kind, begun anywhere."""
        return max(sum(counts) for counts in self.onward)


EMPTY = Ways(_EMPTY, _NONE, _NONE, _NONE)


@lru_cache(200)
def character(members: int, kinds: frozenset[str]) -> Ways:
    """One character of a set with so many members, which are of these kinds."""
    through = tuple(
        (0.0, float(kind in kinds), *counts[2:]) for kind, counts in zip(KINDS, _NONE, strict=True)
    )
    compared = tuple(tuple(members * count for count in counts) for counts in through)
    return Ways(through, compared, through, compared)


@lru_cache(1_000)
def kinds_between(first: str, last: str) -> frozenset[str]:
    """The kinds of the characters from one to another."""
    codes = range(ord(first), min(ord(last), 127) + 1)
    return frozenset(map(_kind_of, map(chr, codes))) | ({"foreign"} if ord(last) > 127 else set())


def _kind_of(char: str) -> str:
    return (
        "letter" if char.isalpha() else "digit" if char.isdigit() else "blank" if char.isspace() else "mark"
    )


def sequence(parts: Sequence[Ways]) -> Ways:
    """One after the other."""
    return reduce(lambda after, before: _then(before, after), reversed(parts), EMPTY)


def choice(branches: Sequence[Ways]) -> Ways:
    """One of several."""
    return reduce(
        lambda one, other: Ways(
            _sum(one.through, other.through),
            _sum(one.into, other.into),
            _most(_most(one.rest, other.rest), _sum(one.through, other.through)),
            _most(_most(one.onward, other.onward), _sum(one.into, other.into)),
        ),
        branches,
    )


def repeated(part: Ways, low: int, high: int | None) -> Ways:
    """At least `low` times, at most `high` times."""
    if high == 0:
        return EMPTY
    copies = min(high or _COPIES, _COPIES)
    low = min(low, copies)
    passed, before, through = _EMPTY, _NONE, _NONE if low else _EMPTY
    for done in range(1, copies + 1):
        before = _sum(before, passed)
        passed = _product(passed, part.through if done <= low else _not_empty(part.through))
        through = _sum(through, passed) if done >= low else through
        if passed == _NONE:
            break
    into = _product(before, part.into)
    return Ways(
        through,
        into,
        _most(through, _product(part.rest, before)),
        _most(into, _sum(part.onward, _product(part.rest, into))),
    )


def _not_empty(counts: Counts) -> Counts:
    """llama.cpp's loops lead back to where they began, so going round without a character is no way."""
    return tuple((0.0, *rest[1:]) for rest in counts)


@lru_cache(200)
def _then(first: Ways, second: Ways) -> Ways:
    return Ways(
        _product(first.through, second.through),
        _sum(first.into, _product(first.through, second.into)),
        _most(_product(first.rest, second.through), second.rest),
        _most(_sum(first.onward, _product(first.rest, second.into)), second.onward),
    )


def _product(one: Counts, other: Counts) -> Counts:
    return tuple(_product_of(counts, others) for counts, others in zip(one, other, strict=True))


def _product_of(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    found = [0.0] * (LENGTH + 1)
    for shift, factor in enumerate(one):
        if factor:
            for place, count in enumerate(other[: LENGTH + 1 - shift], shift):
                found[place] += factor * count
    return tuple(min(count, _MANY) for count in found)


def _sum(one: Counts, other: Counts) -> Counts:
    return tuple(
        tuple(a + b for a, b in zip(counts, others, strict=True))
        for counts, others in zip(one, other, strict=True)
    )


def _most(one: Counts, other: Counts) -> Counts:
    """At least as many as either."""
    return tuple(tuple(map(max, counts, others)) for counts, others in zip(one, other, strict=True))
