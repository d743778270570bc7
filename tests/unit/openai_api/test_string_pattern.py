"""`pattern` inside JSON's quotes, and how many states it has."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpu_engine.llama.gbnf import grammar_of
from openai_api.automaton import MOST_EFFORT, size_of_pattern, states_of_choice
from openai_api.pattern_nodes import PatternRefused, written
from openai_api.string_pattern import read

PATTERNS = (
    *("^[A-Z]{3}-[0-9]{4}$", "^.+@.+$", "[ -~]+", r"\S+", r'a"b\\c', "[^a]x?", "(?P<x>ab|c)?d", r"[\w.-]+"),
    *(
        "中[一-龥]+",
        r'[\n"]',
        r"\s*x",
        "",
        "a{2,}b{0,1}",
        "a*?",
        r"\x41\u4e2d",
        "x{0}y",
        "[]a]",
        "[a-]",
        "a|b|",
    ),
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_written_is_json_and_matches(pattern: str) -> None:
    expression = written(read(pattern))
    assert grammar_of(expression)

    @settings(max_examples=10, deadline=None)
    @given(st.from_regex(expression, fullmatch=True))
    def holds(text: str) -> None:
        assert re.fullmatch(pattern.removeprefix("^").removesuffix("$"), json.loads(f'"{text}"'))

    holds()


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(",
            ")",
            "[",
            "\\",
            "a{3,1}",
            "a**",
            "*",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            r"\bword",
            r"(a)\1",
            r"\p{L}",
        ),
        *(
            "a^",
            "a$b",
            "[z-a]",
            r"[a-\d]",
            r"[\x01]",
            "(" * 60 + ")" * 60,
            "a" * 1001,
            "((a{99}){99}){99}",
            "a{9999}",
        ),
    ],
)
def test_what_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        written(read(pattern))


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("", 1),
        ("abc", 4),
        ("a*", 1),
        ("a+", 2),
        ("[A-Z]{3}-[0-9]{4}", 9),
        ("(ab|c)?d", 4),
        (r".+@.+\.[a-z]{2,}", 7),
        ("(a|b)*a(a|b){3}", 16),
        ("(a|b)*a(a|b){12}", 1000),
        ("(a?){30}", 31),
        ("a{0,450}", 451),
        ("(ab?){2,3}", 7),
        ("(a|b?){2}c", 4),
        ("(ab){2,}", 5),
        ("[ab][bc]|[a-c]d", 4),
        ("[ab]b|[bc]d", 5),
        ("a?" * 450, 1000),
    ],
)
def test_how_many_states_a_pattern_has(pattern: str, states: int) -> None:
    assert size_of_pattern(read(pattern), 1000).states == states


SET = "".join(chr(0x4E00 + 2 * index) for index in range(990))


@pytest.mark.parametrize(
    ("pattern", "most"),
    [
        (f"[{SET}]{{10}}", 25_000),
        (SET, 25_000),
        ("a{900}", 25_000),
        ("|".join(SET[:499]), 25_000),
        ("".join(f"[^{char}]" for char in SET[:249]), MOST_EFFORT),
        ("a?" * 499, MOST_EFFORT),
        ("(a?b?c?d?e?f?g?h?i?j?)*" * 43, MOST_EFFORT),
        ("(a|b)*a(a|b){490}", MOST_EFFORT),
        (f"({'|'.join(SET[:100])})*({'|'.join(SET[100:400])})", MOST_EFFORT),
    ],
)
def test_what_counting_takes_has_a_bound(pattern: str, most: int) -> None:
    assert 0 < size_of_pattern(read(pattern), 1000).effort <= most


@pytest.mark.parametrize(
    ("texts", "states"),
    [
        ([""], 1),
        (["ab"], 3),
        (["ab", "cb"], 3),
        (["ab", "abc"], 4),
        (["tap", "taps", "top", "tops"], 5),
        ([f"{number:03}" for number in range(1000)], 4),
        (["x" * 50_000], 50_001),
    ],
)
def test_how_many_states_a_choice_has(texts: list[str], states: int) -> None:
    assert states_of_choice(texts) == states


def test_no_kind_of_space_passes_for_something_else() -> None:
    spaces = [chr(code) for code in range(0x10000) if chr(code).isspace()]
    assert not any(re.fullmatch(written(read(r"\S")), space) for space in spaces)
