"""When an answer ends, in TGI's rules."""

from __future__ import annotations

from cpu_engine.engine import Token
from cpu_engine.tgi.answer import Answer, FinishReason


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
