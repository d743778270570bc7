"""TGI's rules for when an answer ends, and its names for why."""

from dataclasses import dataclass, field
from enum import Enum

from cpu_engine.engine import Token


class FinishReason(Enum):
    """Why an answer ended; the value is TGI's own name for it."""

    LENGTH = "length"
    EOS_TOKEN = "eos_token"
    STOP_SEQUENCE = "stop_sequence"

    @property
    def openai(self) -> str:
        """The name on the chat routes and in the JSON of /v1/completions."""
        return "stop" if self is FinishReason.EOS_TOKEN else self.value


@dataclass(slots=True)
class Answer:
    """The answer so far, and TGI's rules for its end.

    Args:
        max_new_tokens: tokens after which it ends.
        stop: it ends with the token whose text completes one of these; the match stays in the text.
    """

    max_new_tokens: int
    stop: tuple[str, ...]
    generated_tokens: int = 0
    _texts: list[str] = field(default_factory=list)
    _tail: str = ""

    @property
    def text(self) -> str:
        """Everything generated but special tokens."""
        return "".join(self._texts)

    def add(self, token: Token, is_eos: bool = False) -> FinishReason | None:
        """Take one token; the reason when the answer ends with it. TGI looks at the length first."""
        self.generated_tokens += 1
        if not token.special:
            self._texts.append(token.text)
        if self.generated_tokens >= self.max_new_tokens:
            return FinishReason.LENGTH
        if is_eos:
            return FinishReason.EOS_TOKEN
        return FinishReason.STOP_SEQUENCE if self._stops(token.text) else None

    def _stops(self, text: str) -> bool:
        """TGI matches `stop$` against the text so far: at its very end, or before one final line break."""
        if not self.stop:
            return False
        self._tail = (self._tail + text)[-max(map(len, self.stop)) - 1 :]
        return any(self._tail.endswith(stop) or self._tail.endswith(stop + "\n") for stop in self.stop)
