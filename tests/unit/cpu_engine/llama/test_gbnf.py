"""Regular expressions as llama.cpp's grammars."""

from __future__ import annotations

import re
from typing import Any

import pytest
from unit.cpu_engine.real_engine import RunningEngine

from cpu_engine.engine import MAX_PATTERN
from cpu_engine.llama.gbnf import MAX_ELEMENTS, MAX_MEMBERS, NoGrammar, grammar_of
from cpu_engine.tgi.schema import schema_pattern

SCATTERED = "".join(chr(0x4E00 + 7 * number) for number in range(500))


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


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z]?" * 40 + "X",
        "([a-z]?){100}X",
        "[a-z]*" * 30 + "X",
        f"({'|'.join(['[a-z]'] * 4)}){{8}}",
        f"({'|'.join(['[a-z]'] * 4)}){{1,8}}",
        "(" * 20 + "[a-z]*" + ")*" * 20,
        "(" * 20 + "a" + "+)" * 20 + "+",
        r"\w?\d?" * 30,
        ".?" * 40,
        "[^a]?" * 40,
        "中?" * 40,
        "(XXXXXXXX" * 4 + "[a-z]?" * 10 + (")" + "[a-z]?" * 10) * 4,
        f"[{SCATTERED}]?" * 8 + "x",
        f"({'|'.join(f'w{number}o' for number in range(400))})?" * 15 + "x",
    ],
    ids=(
        *("optional", "optional often", "stars", "same branches", "same branches, some", "nested stars"),
        *("nested pluses", "classes", "dots", "negated", "foreign", "from inside groups"),
        *("sets", "words"),
    ),
)
def test_what_can_be_read_in_too_many_ways_is_refused(pattern: str) -> None:
    with pytest.raises(NoGrammar, match="it can be read in too many ways"):
        grammar_of(pattern)


ANYTHING: dict[str, Any] = {f"field_{number}": {} for number in range(5)}
TEXTS: dict[str, Any] = {f"field_{number}": {"type": "string"} for number in range(20)}


@pytest.mark.parametrize(
    "pattern",
    [
        schema_pattern({"properties": ANYTHING, "required": list(ANYTHING)}),
        schema_pattern({"properties": TEXTS}),
        schema_pattern({"properties": TEXTS, "required": ["field_0"]}),
        schema_pattern({"properties": {"a": {"enum": [f"word {number}" for number in range(400)]}}}),
        "[a-z ]{0,500}",
        f"[{SCATTERED}]{{4}}",
        r"[\w.+-]{1,64}@([a-z0-9-]{1,63}\.){1,3}[a-z]{2,8}",
        "abcde" * 5_000,
    ],
    ids=("anything", "optional texts", "texts", "enum", "long", "set", "address", "literal"),
)
def test_what_people_ask_for_can_be_read_in_few_ways(pattern: str) -> None:
    assert grammar_of(pattern).startswith("root ::= ")


def test_ways_are_counted_for_the_kinds_of_characters_that_a_set_has() -> None:
    for inside in ("[0-9]?[a-z]?" * 12, "[ ]?[中-龥]?" * 12):
        assert grammar_of(f"({inside})")
    with pytest.raises(NoGrammar, match="too many ways"):
        grammar_of("[0-a]?[A-z]?" * 12)


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
        "[a-z]?" * 10 + "X",
    ],
)
def test_llama_cpp_follows_it(engine: RunningEngine, idle_engine: None, pattern: str) -> None:
    grammar = {"type": "regex", "value": pattern}
    body = {"inputs": "Answer:", "parameters": {"max_new_tokens": 60, "grammar": grammar, "details": True}}
    answer = engine.post("/generate", body).json()
    assert re.fullmatch(pattern, answer["generated_text"]), answer
    assert answer["details"]["finish_reason"] == "eos_token"
