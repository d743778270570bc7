"""From llama.cpp's frames to tokens: pure, no I/O.

llama.cpp sends no frame for a token that ends inside a character; the next frame carries the text of both and
only the last id. TGI has every token, with an empty text until the character is complete, and so has
`FrameReader`: the ids that were left out are recovered from the bytes (`missing_ids`), and their
log-probability, which llama.cpp does not tell, is None.
"""

import math
from collections.abc import Iterator
from typing import Any

from cpu_engine.engine import Token
from cpu_engine.llama.gguf import Vocabulary


class FrameReader:
    """Turns the frames of one llama.cpp completion into tokens.

    Args:
        vocabulary: the model's odd tokens.
        top_n_tokens: how many alternatives each token carries.
    """

    def __init__(self, vocabulary: Vocabulary, top_n_tokens: int = 0) -> None:
        self.vocabulary = vocabulary
        self.top_n_tokens = top_n_tokens
        self.seen = 0

    def read(self, frame: dict[str, Any]) -> list[Token]:
        """The tokens that `frame` (a non-final one) completes: the ones left out before it, then its own.

        A frame that only reports progress with the prompt has none.
        """
        left_out = frame["tokens_predicted"] - self.seen - 1
        if left_out < 0:
            return []
        self.seen = frame["tokens_predicted"]
        id_, text = frame["tokens"][-1], frame["content"]
        details: dict[str, Any] = next(iter(frame.get("completion_probabilities", ())), {})
        tokens: list[Token] = []
        if left_out > 0:
            raw = bytes(details.get("bytes", ()))
            ids = missing_ids(raw, id_, left_out, self.vocabulary) or [None] * left_out
            tokens = [Token(missing, "", None, False) for missing in ids]
            # the end came inside a character: its text belongs to the answer
            if id_ in self.vocabulary.special:
                own = self.vocabulary.special[id_]
                tokens[-1] = Token(tokens[-1].id, text.removesuffix(own), None, False)
                text = own
        top = details.get("top_logprobs") or details.get("top_probs") or ()
        alternatives = tuple(self._token(item, item["token"]) for item in top[: self.top_n_tokens])
        return [*tokens, self._token({"id": id_, **details}, text, alternatives)]

    def _token(self, item: dict[str, Any], text: str, top: tuple[Token, ...] = ()) -> Token:
        return Token(item["id"], text, _logprob(item), item["id"] in self.vocabulary.special, top)


def _logprob(item: dict[str, Any]) -> float | None:
    if "prob" not in item:
        return item.get("logprob")
    return math.log(item["prob"]) if item["prob"] > 0 else None


def missing_ids(raw: bytes, last: int, count: int, vocabulary: Vocabulary) -> list[int | None] | None:
    """Ids of the `count` tokens before `last`, with it spelling `raw`; None unless there is one answer."""
    if last in vocabulary.special:
        raw = raw.removesuffix(vocabulary.special[last].encode())
    found: list[list[int | None]] = []
    for ids, rest in _spellings(raw, count, vocabulary.fragments):
        if _is_last(rest, last, vocabulary):
            found.append(ids)
    return found[0] if len(found) == 1 else None


def _spellings(
    raw: bytes, count: int, fragments: dict[int, bytes]
) -> Iterator[tuple[list[int | None], bytes]]:
    """Every way to begin `raw` with `count` fragments, with what remains."""
    if count == 0:
        yield [], raw
        return
    for id_, piece in fragments.items():
        if raw.startswith(piece):
            for ids, rest in _spellings(raw[len(piece) :], count - 1, fragments):
                yield [id_, *ids], rest


def _is_last(rest: bytes, last: int, vocabulary: Vocabulary) -> bool:
    if last in vocabulary.special:
        return not rest
    if last in vocabulary.fragments:
        return rest == vocabulary.fragments[last]
    try:
        return bool(rest.decode())
    except UnicodeDecodeError:
        return False
