"""From llama.cpp's frames to TGI's tokens."""

from __future__ import annotations

import math

import pytest
from unit.cpu_engine.scripted_facade import TOY_MODEL, frame

from cpu_engine.llama.client import Piece
from cpu_engine.llama.decoding import Answer, FinishReason, FrameReader, Token
from cpu_engine.llama.gguf import Vocabulary
from cpu_engine.tgi.tokens import simple_tokens

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


def _finish(answer: Answer, *texts: str) -> list[FinishReason | None]:
    return [answer.add(Token(0, text, None, False)) for text in texts]


def test_the_stop_sequence_stays_in_the_text() -> None:
    answer = Answer(10, ("END",))
    assert _finish(answer, "a", "EN", "D") == [None, None, FinishReason.STOP_SEQUENCE]
    assert answer.text == "aEND"


def test_tgi_stops_only_where_a_token_ends_with_the_sequence() -> None:
    assert _finish(Answer(10, (".",)), "a.b") == [None]
    assert _finish(Answer(10, (".",)), "a.\n") == [FinishReason.STOP_SEQUENCE]
    assert _finish(Answer(10, (".",)), "a.\n\n") == [None]


def test_the_length_goes_before_everything_else() -> None:
    assert _finish(Answer(1, ("a",)), "a") == [FinishReason.LENGTH]
    assert Answer(1, ()).add(Token(2, "<end>", None, True), is_eos=True) is FinishReason.LENGTH


def test_a_special_token_is_not_part_of_the_text() -> None:
    answer = Answer(10, ())
    answer.add(Token(7, "a", None, False))
    assert answer.add(Token(2, "<end>", None, True), is_eos=True) is FinishReason.EOS_TOKEN
    assert (answer.text, answer.generated_tokens) == ("a", 2)


def test_openais_names_of_the_reasons() -> None:
    assert [reason.openai for reason in FinishReason] == ["length", "stop", "stop_sequence"]


def test_offsets_count_characters() -> None:
    pieces = [Piece(1, "é".encode()), Piece(2, PARROT[:2]), Piece(3, PARROT[2:]), Piece(4, b"!")]
    assert simple_tokens("é🦜!", pieces) == [
        {"id": 1, "text": "é", "start": 0, "stop": 1},
        {"id": 2, "text": "🦜", "start": 1, "stop": 2},
        {"id": 3, "text": "🦜", "start": 1, "stop": 2},
        {"id": 4, "text": "!", "start": 2, "stop": 3},
    ]


def test_offsets_of_a_truncated_text_are_those_of_its_tail() -> None:
    assert simple_tokens("abc", [Piece(1, b"c")]) == [{"id": 1, "text": "c", "start": 2, "stop": 3}]


def test_an_added_token_has_no_text_and_a_rewritten_text_no_offsets() -> None:
    added = simple_tokens("a", [Piece(1, b"<s>"), Piece(2, b"a")])
    assert added == [
        {"id": 1, "text": "", "start": 0, "stop": 0},
        {"id": 2, "text": "a", "start": 0, "stop": 1},
    ]
    rewritten = simple_tokens("A B", [Piece(1, b"a"), Piece(2, b"b")])
    assert [(t["text"], t["start"], t["stop"]) for t in rewritten] == [("", 0, 0), ("", 0, 0)]
