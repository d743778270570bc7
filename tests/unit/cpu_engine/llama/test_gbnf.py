"""Regular expressions as llama.cpp's grammars."""

from __future__ import annotations

import re

import pytest
from unit.cpu_engine.real_engine import RunningEngine

from cpu_engine.engine import MAX_PATTERN
from cpu_engine.llama.gbnf import MAX_ELEMENTS, MAX_MEMBERS, NoGrammar, grammar_of


@pytest.mark.parametrize(
    ("pattern", "grammar"),
    [
        ("ab", "[a] [b]"),
        ("a|b", "[a] | [b]"),
        ("(yes|no)", "([y] [e] [s] | [n] [o])"),
        ("^[0-9]{3}$", "([0-9]){3,3}"),
        ("a*b+c?", "([a])* ([b])+ ([c])?"),
        ("a{2,}b{0,1}c{0,0}", '([a]){2,} ([b])? ""'),
        ("a*?", "([a])*"),
        ("(?:a)(?P<n>b)", "([a]) ([b])"),
        (r"\d\W", "[0-9] [^a-zA-Z0-9_]"),
        (r"[^\]\n-]", r"[^\U0000005D\U0000000A\U0000002D]"),
        (r"\x41\u4e2d", r"[A] [\U00004E2D]"),
        (".", r"[^\n\r]"),
        ("", '""'),
    ],
)
def test_what_an_expression_becomes(pattern: str, grammar: str) -> None:
    assert grammar_of(pattern) == f"root ::= {grammar}\n"


def test_what_occurs_twice_is_written_once() -> None:
    _, first, *rest = grammar_of("(abcdefghij|k)-(abcdefghij|k)").splitlines()
    assert first == "r0 ::= [a] [b] [c] [d] [e] [f] [g] [h] [i] [j] | [k]"
    assert rest == []


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", ")", "[", "*", "a**b(", "a{3,1}", "[z", "\\", "(?=a)", "(?!a)", "(?<=a)", r"\bword", r"(a)\1"),
        *(r"\p{L}", r"\uD800", "[[:alpha:]]", r"[\D]", r"[a-\d]", "(" * 200 + ")" * 200),
        "a{99999}",
        "((a{99}){99}){99}",
        "|".join(f"word{number}" for number in range(1000)),
    ],
)
def test_what_a_grammar_cannot_say_is_refused(pattern: str) -> None:
    with pytest.raises(NoGrammar):
        grammar_of(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        f"[{'!' * (MAX_MEMBERS + 1)}]",
        f"[{'!-~' * (MAX_MEMBERS // 2 + 1)}]",
        "[" + r"\d" * (MAX_MEMBERS + 1) + "]",
        f"[{'!' * MAX_MEMBERS}]" * (MAX_ELEMENTS // MAX_MEMBERS + 1),
        f"[{'!' * MAX_MEMBERS}]{{{MAX_ELEMENTS // MAX_MEMBERS + 1}}}",
        "a" + "*" * 1_000,
    ],
    ids=("members", "ranges", "classes", "sets", "a set often", "repetitions of repetitions"),
)
def test_what_llama_cpp_would_walk_through_is_counted(pattern: str) -> None:
    with pytest.raises(NoGrammar):
        grammar_of(pattern)


def test_a_set_as_large_as_may_be() -> None:
    assert grammar_of(f"[{'a' * MAX_MEMBERS}]") == f"root ::= [{'a' * MAX_MEMBERS}]\n"


def test_a_long_expression_is_refused_unread() -> None:
    with pytest.raises(NoGrammar, match="it is too large"):
        grammar_of(")" * (MAX_PATTERN + 1))


@pytest.mark.parametrize(
    "pattern",
    [
        "[0-9]{3}-[0-9]{4}",
        "(yes|no)",
        r'"([^"\\\x00-\x1F\x7F-\x9F]|\\["\\]){1,8}"',
        "[一-龥]{2}",
        r"(\+|-)?\d{1,3}(\.\d{2})?",
    ],
)
def test_llama_cpp_follows_it(engine: RunningEngine, idle_engine: None, pattern: str) -> None:
    grammar = {"type": "regex", "value": pattern}
    body = {"inputs": "Answer:", "parameters": {"max_new_tokens": 60, "grammar": grammar, "details": True}}
    answer = engine.post("/generate", body).json()
    assert re.fullmatch(pattern, answer["generated_text"]), answer
    assert answer["details"]["finish_reason"] == "eos_token"
