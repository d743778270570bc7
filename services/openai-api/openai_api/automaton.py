"""How many states an automaton has: of a pattern, and of a choice among texts. Pure, and bounded.

A pattern's automaton is made as far as `most` states (positions and what may follow them, then the sets of
positions that are reached together); a choice's is the smallest one, where equal endings are one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from openai_api.pattern_nodes import Characters, Choice, Node, Ranges, Repeated, Sequence

Positions = frozenset[int]
MOST_EFFORT = 200_000
"""Of one pattern: positions that are looked at, or put into a set. That takes some hundredths of a second."""
_LETTER = 5
"""Following one letter takes as long as so many of them."""
_END = -1


@dataclass(frozen=True, slots=True)
class Size:
    """A pattern's automaton, and what it took to find that out."""

    states: int
    effort: int


def size_of_pattern(node: Node, most: int) -> Size:
    """How large what `node` matches is; `most` states for that many and more, and where counting takes too
    long.
    """
    positions = _Positions()
    try:
        states = _states(positions, *positions.add(node), most)
    except _TooMuchError:
        states = most
    return Size(states, positions.effort)


def _states(positions: _Positions, nullable: bool, first: Positions, last: Positions, most: int) -> int:
    for at in last:
        positions.follow[at].add(_END)
    first = first | {_END} if nullable else first
    letters_of = _letters_of(positions)
    found = {first}
    waiting = [first]
    while waiting and len(found) < most:
        reached = waiting.pop()
        positions.spend(sum(len(letters_of[at]) for at in reached))
        for letter in {letter for at in reached for letter in letters_of[at]}:
            taken = reached & letter
            positions.spend(_LETTER + len(taken) + sum(len(positions.follow[at]) for at in taken))
            after = frozenset().union(*(positions.follow[at] for at in taken))
            if after not in found:
                found.add(after)
                waiting.append(after)
    return len(found)


def _letters_of(positions: _Positions) -> dict[int, list[Positions]]:
    """By position: the letters that it can take. A letter is a kind of character, named by all the positions
    that can take it; one pass over where ranges begin and end finds them.
    """
    alike: dict[Ranges, list[int]] = defaultdict(list)
    for at, ranges in enumerate(positions.characters):
        positions.spend(len(ranges))
        alike[ranges].append(at)
    sets = list(alike.values())
    edges: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, ranges in enumerate(alike):
        for low, high in ranges:
            edges[low].append((number, 1))
            edges[high + 1].append((number, -1))
    depths = [0] * len(sets)
    here = set[int]()
    kinds = set[frozenset[int]]()
    for edge in sorted(edges):
        for number, step in edges[edge]:
            depths[number] += step
            (here.add if depths[number] else here.discard)(number)
        positions.spend(len(here))
        kinds.add(frozenset(here))
    letters_of: dict[int, list[Positions]] = defaultdict(list)
    for kind in kinds:
        letter = frozenset(at for number in kind for at in sets[number])
        positions.spend(len(letter))
        for at in letter:
            letters_of[at].append(letter)
    return letters_of


class _TooMuchError(Exception):
    """More than MOST_EFFORT."""


class _Positions:
    """Every character that a pattern can match, and which ones may come after it.

    Attributes:
        effort: spent so far.
    """

    def __init__(self) -> None:
        self.characters: list[Ranges] = []
        self.follow: list[set[int]] = []
        self.effort = 0

    def spend(self, effort: int) -> None:
        """What is about to be done.

        Raises:
            _TooMuchError: it must not be.
        """
        if self.effort + effort > MOST_EFFORT:
            raise _TooMuchError
        self.effort += effort

    def add(self, node: Node) -> tuple[bool, Positions, Positions]:
        """Whether it may be empty, where it may begin, where it may end."""
        match node:
            case Characters(ranges):
                self.characters.append(ranges)
                self.follow.append(set())
                here = frozenset((len(self.characters) - 1,))
                return False, here, here
            case Sequence(parts):
                return self._sequence(self.add(part) for part in parts)
            case Choice(branches):
                added = [self.add(branch) for branch in branches]
                self.spend(sum(len(begins) + len(ends) for _, begins, ends in added))
                firsts = frozenset[int]().union(*(begins for _, begins, _ in added))
                lasts = frozenset[int]().union(*(ends for _, _, ends in added))
                return any(empty for empty, _, _ in added), firsts, lasts
            case Repeated(part, low, high):
                return self._repeated(part, low, high)

    def _sequence(
        self, parts: Iterable[tuple[bool, Positions, Positions]]
    ) -> tuple[bool, Positions, Positions]:
        nullable, first, last = True, frozenset[int](), frozenset[int]()
        for empty, begins, ends in parts:
            self._follows(last, begins)
            self.spend(len(first) + len(last))
            first = first | begins if nullable else first
            last = last | ends if empty else ends
            nullable = nullable and empty
        return nullable, first, last

    def _repeated(self, part: Node, low: int, high: int | None) -> tuple[bool, Positions, Positions]:
        """Copies, of which none is left out before another: what they match is the same."""
        copies = [self.add(part) for _ in range(max(low, high or 0, 1))]
        for (_, _, ends), (_, begins, _) in pairwise(copies):
            self._follows(ends, begins)
        empty, begins, ends = copies[-1]
        if high is None:
            self._follows(ends, begins)
        self.spend(len(ends) * len(copies))
        may_end = copies if empty else copies[max(low - 1, 0) :]
        lasts = frozenset[int]().union(*(ends for _, _, ends in may_end))
        return empty or low == 0, copies[0][1], lasts

    def _follows(self, before: Positions, after: Positions) -> None:
        self.spend(len(before) * len(after))
        for at in before:
            self.follow[at] |= after


def states_of_choice(texts: Iterable[str]) -> int:
    """The states of the smallest automaton of these texts."""
    root = _Node()
    for text in texts:
        node = root
        for char in text:
            node = node.next.setdefault(char, _Node())
        node.is_end = True
    order, waiting = [], [root]
    while waiting:
        order.append(node := waiting.pop())
        waiting.extend(node.next.values())
    numbers: dict[tuple[bool, frozenset[tuple[str, int]]], int] = {}
    for node in reversed(order):  # from the leaves; a text may be long, so no recursion
        ending = node.is_end, frozenset((char, below.number) for char, below in node.next.items())
        node.number = numbers.setdefault(ending, len(numbers))
    return len(numbers)


@dataclass(slots=True)
class _Node:
    """What may follow a beginning; equal endings get one number."""

    next: dict[str, _Node] = field(default_factory=dict)
    is_end: bool = False
    number: int = 0
