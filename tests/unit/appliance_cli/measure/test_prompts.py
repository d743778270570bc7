"""Prompts of an exact length, by a tokenizer that knows some words and a template of its own."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any, cast

import pytest

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.measure import prompts
from appliance_cli.measure.generator.load import Load
from appliance_cli.measure.generators import Generator

LOAD = Load("m", [], 0, prompts.BEFORE, prompts.QUESTION, 256, 0, 1)
TEMPLATE = 30


class Tokenizer:
    """Stands in for an engine: each word is one token, those in ``split`` are two."""

    def __init__(self, split: set[str], status: int = 200) -> None:
        self.split, self.status = split, status

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        if path == "/tokenize":
            return self.status, json.dumps(list(self._tokens(body["inputs"])))
        (message,) = body["messages"]
        assert body["max_tokens"] == 1
        count = TEMPLATE + len(list(self._tokens(message["content"])))
        return self.status, json.dumps({"usage": {"prompt_tokens": count}})

    def _tokens(self, text: str) -> Any:
        for match in re.finditer(r"\s?\S+", text):
            begin, end = match.span()
            cuts = [begin, end - 1, end] if match[0].strip() in self.split else [begin, end]
            for start, stop in pairwise(cuts):
                yield {"id": 1, "text": text[start:stop], "start": start, "stop": stop}


def engine(*split: str, status: int = 200) -> Generator:
    return cast(Generator, Tokenizer(set(split), status))


def test_only_words_of_one_token_are_taken() -> None:
    found = prompts.single_tokens(engine("lighthouse", "time", "year"))
    assert "people" in found and "time" not in found and "year" not in found


def test_the_prompt_is_as_long_as_it_was_to_be() -> None:
    tokenizer = engine()
    words = prompts.single_tokens(tokenizer)
    load = Load("m", words, 0, prompts.BEFORE, prompts.QUESTION, 256, 0, 1)
    fill = prompts.fill_for(tokenizer, load, 512)
    assert fill == 512 - TEMPLATE - len(f"{prompts.BEFORE} {prompts.QUESTION}".split())


def test_a_prompt_shorter_than_its_question_is_refused() -> None:
    load = Load("m", ["red"], 0, prompts.BEFORE, prompts.QUESTION, 256, 0, 1)
    with pytest.raises(BadSetting, match="--prompt is too short"):
        prompts.fill_for(engine(), load, 20)


def test_words_that_are_no_single_tokens_are_noticed() -> None:
    load = Load("m", ["red"], 0, prompts.BEFORE, prompts.QUESTION, 256, 0, 1)
    with pytest.raises(StepFailed, match="exact length"):
        prompts.fill_for(engine("red"), load, 512)


def test_a_refusal_names_the_key() -> None:
    with pytest.raises(StepFailed) as failed:
        prompts.fill_for(engine(status=401), Load("m", ["red"], 0, "a", "b", 256, 0, 1), 512)
    assert "--key" in failed.value.remedy and "401" in failed.value.found
