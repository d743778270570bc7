"""Prompts of an exact number of tokens, by the engine's own tokenizer.

A prompt is a beginning, words drawn by lot that are one token each, and a question; a template comes around
it. What is not words is counted once, by what the engine says of one such prompt.
"""

import json
from dataclasses import replace

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.measure.generator.load import Load
from appliance_cli.measure.generators import Generator

BEFORE = "Words:"
QUESTION = (
    "Those words mean nothing. Write a very long story about a lighthouse, of at least two thousand words."
)
LEAST_WORDS = 40
_CANDIDATES = """
time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point home
water room mother area money story fact month lot right study book eye job word business issue side kind
head house service friend father power hour game line end member law car city community name president
team minute idea body information back parent face others level office door health person art war history
party result change morning reason research girl guy moment air teacher force education red green blue
white black small large long short open light dark north south east west
""".split()  # noqa: SIM905


def single_tokens(engine: Generator) -> list[str]:
    """Words that are one token each where a blank stands before them."""
    text = " " + " ".join(_CANDIDATES)
    status, answer = engine.ask("POST", "/tokenize", {"inputs": text})
    if status != 200:
        raise _unusable(f"POST /tokenize: HTTP {status}")
    spans = {(token["start"], token["stop"]) for token in json.loads(answer)}
    found = [word for word, begin, end in _places(text) if spans & {(begin, end), (begin - 1, end)}]
    if len(found) < LEAST_WORDS:
        raise _unusable(f"{len(found)} of {len(_CANDIDATES)} words")
    return found


def fill_for(generator: Generator, load: Load, prompt_tokens: int) -> int:
    """How many words make a prompt of exactly so many tokens; asks for three answers of one token.

    Raises:
        BadSetting: the beginning, the question and the template alone are longer.
    """
    around = _counted(generator, load, LEAST_WORDS, 0) - LEAST_WORDS
    if prompt_tokens <= around:
        raise BadSetting(
            "--prompt is too short",
            expected=f"more than {around} tokens, which the question and the model's template take",
            found=str(prompt_tokens),
            remedy=f"--prompt {around + LEAST_WORDS} or more",
        )
    fill = prompt_tokens - around
    for number in (1, 2):
        counted = _counted(generator, load, fill, number)
        if counted != prompt_tokens:
            raise _unusable(f"{counted} tokens where {prompt_tokens} were made")
    return fill


def _counted(generator: Generator, load: Load, fill: int, number: int) -> int:
    body = json.loads(replace(load, fill=fill, answer_tokens=1).body(number))
    del body["stream_options"]
    status, text = generator.ask("POST", "/v1/chat/completions", body | {"stream": False})
    if status != 200:
        raise StepFailed(
            "The appliance refused the first question",
            expected="an answer of one token",
            found=f"HTTP {status}: {text.strip()[:200]}",
            remedy="put that right (a key: --key, or API_KEY), then run this again",
        )
    return int(json.loads(text)["usage"]["prompt_tokens"])


def _places(text: str) -> list[tuple[str, int, int]]:
    places, at = [], 1
    for word in text.split():
        places.append((word, at, at + len(word)))
        at += len(word) + 1
    return places


def _unusable(found: str) -> StepFailed:
    return StepFailed(
        "No prompt of an exact length can be made for this model",
        expected="an engine that tells its tokens, and a tokenizer with whole words",
        found=found,
        remedy="use a model whose tokenizer has common English words as single tokens",
    )
