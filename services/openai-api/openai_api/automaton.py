"""How many states an automaton has: of a pattern, and of a choice among texts. Pure, and bounded.

A pattern's automaton is made as far as `most` states (positions and what may follow them, then the sets of
positions that are reached together); a choice's is the smallest one, where equal endings are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from openai_api.string_pattern import Characters, Choice, Node, Repeated, Sequence

Positions = frozenset[int]
_END = -1


@lru_cache(maxsize=256)
def states_of_pattern(node: Node, most: int) -> int:
    """The states of what `node` matches; `most` for that many and more."""
    positions = _Positions()
    nullable, first, last = positions.add(node)
    for at in last:
        positions.follow[at].add(_END)
    first = first | {_END} if nullable else first
    cuts = sorted(
        {edge for ranges in positions.characters for low, high in ranges for edge in (low, high + 1)}
    )
    letters: list[Positions] = []
    for cut in cuts:
        here = frozenset(
            at
            for at, ranges in enumerate(positions.characters)
            if any(low <= cut <= high for low, high in ranges)
        )
        if here and here not in letters:
            letters.append(here)
    found = {first}
    waiting = [first]
    effort = 0
    while waiting and len(found) < most:
        reached = waiting.pop()
        for letter in letters:
            effort += len(reached) + 1
            taken = reached & letter
            if not taken:
                continue
            after = frozenset().union(*(positions.follow[at] for at in taken))
            if after not in found:
                found.add(after)
                waiting.append(after)
        if effort > most * 100:
            return most
    return min(most, len(found))


class _Positions:
    """Every character that a pattern can match, and which ones may come after it."""

    def __init__(self) -> None:
        self.characters: list[tuple[tuple[int, int], ...]] = []
        self.follow: list[set[int]] = []

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
            for at in last:
                self.follow[at] |= begins
            first = first | begins if nullable else first
            last = last | ends if empty else ends
            nullable = nullable and empty
        return nullable, first, last

    def _repeated(self, part: Node, low: int, high: int | None) -> tuple[bool, Positions, Positions]:
        copies = [self.add(part) for _ in range(max(low, high or 0, 1))]
        if high is None:
            _, begins, ends = copies[-1]
            for at in ends:
                self.follow[at] |= begins
        return self._sequence(
            (empty or index >= low, begins, ends) for index, (empty, begins, ends) in enumerate(copies)
        )


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
