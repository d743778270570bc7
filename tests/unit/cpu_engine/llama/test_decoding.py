"""From llama.cpp's frames to tokens."""

from __future__ import annotations

import math

import pytest
from unit.cpu_engine.scripted_facade import TOY_MODEL, frame

from cpu_engine.engine import Token
from cpu_engine.llama.decoding import FrameReader
from cpu_engine.llama.gguf import Vocabulary

PARROT = "🦜".encode()  # f0 9f a6 9c; fragments 10 (f0 9f), 11 (a6), 12 (9c) of the toy vocabulary
TOY = TOY_MODEL.vocabulary


def _reader(vocabulary: Vocabulary = TOY, top_n_tokens: int = 0) -> FrameReader:
    return FrameReader(vocabulary, top_n_tokens)


def test_one_token_for_a_plain_frame() -> None:
    assert _reader().read(frame(" a", 7, 1)) == [Token(7, " a", -0.5, False)]


def test_tokens_left_out_inside_a_character_get_their_ids_back() -> None:
    tokens = _reader().read(frame("🦜", 12, 3, PARROT))
    assert [(t.id, t.text, t.logprob) for t in tokens] == [(10, "", None), (11, "", None), (12, "🦜", -0.5)]


def test_a_left_out_token_that_could_be_several_stays_unknown() -> None:
    ambiguous = Vocabulary(special={}, fragments={**TOY.fragments, 13: b"\xf0", 14: b"\x9f\xa6"})
    tokens = _reader(ambiguous).read(frame("🦜", 12, 3, PARROT))
    assert [t.id for t in tokens] == [None, None, 12]


def test_without_probabilities_the_text_still_comes_at_the_right_token() -> None:
    bare = {"content": "🦜", "tokens": [12], "stop": False, "tokens_predicted": 3}
    assert [t.text for t in _reader().read(bare)] == ["", "", "🦜"]


def test_a_character_cut_by_the_end_of_the_text_belongs_to_the_answer() -> None:
    tokens = _reader().read(frame("\ufffd<end>", 2, 2, b"\xf0\x9f<end>"))
    assert [(t.id, t.text, t.special) for t in tokens] == [(10, "\ufffd", False), (2, "<end>", True)]


def test_progress_with_the_prompt_is_no_token() -> None:
    progress = {"content": "", "tokens": [0], "stop": False, "tokens_predicted": 0}
    assert _reader().read(progress) == []


def test_a_sampled_token_has_the_logarithm_of_its_probability() -> None:
    sampled = frame("a", 7, 1)
    sampled["completion_probabilities"] = [
        {"id": 7, "bytes": [97], "prob": 0.25, "top_probs": [{"id": 1, "token": "<start>", "prob": 0.5}]}
    ]
    (token,) = _reader(top_n_tokens=1).read(sampled)
    assert token.logprob == pytest.approx(math.log(0.25))
    assert [(t.id, t.special) for t in token.top] == [(1, True)]
