"""What TGI's contract needs from whatever generates text: all that tgi/ knows of an engine.

An engine is a folder beside tgi/ with a class that fulfils `Engine`; llama/ is the one there is. It turns
text into tokens and tokens into more of them. Limits, the queue, stop sequences, counting and every word that
a client reads are the contract's.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_PATTERN = 200_000
"""Characters of a regular expression; longer ones would keep the engine from everybody else's tokens."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message as a text template sees it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of a tokenized text and the bytes that it stands for."""

    id: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Sampling:
    """Values that are safe to generate with.

    Attributes:
        top_k: 0 is off.
        top_p: 1.0 is off; so it is for `typical_p`, and for `repetition_penalty` too.
        sample: False takes the most likely token each time; then the seed has no effect.
        seed: the client's, or a random one.
        seed_is_given: the client asked for the same text again.
        top_n_tokens: how many alternatives each token carries.
        pattern: a regular expression that the whole text must match, and that ends it; None for any text.
    """

    temperature: float
    top_k: int
    top_p: float
    typical_p: float
    repetition_penalty: float
    frequency_penalty: float
    sample: bool
    seed: int
    seed_is_given: bool
    top_n_tokens: int
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token.

    Attributes:
        id: None when the engine told neither it nor enough to recover it.
        text: empty while a character is not complete; the token that completes it has all of it.
        logprob: natural logarithm; None when the engine did not tell.
        special: a control token, whose text is not part of the answer.
        top: the most likely alternatives, when they were asked for.
    """

    id: int | None
    text: str
    logprob: float | None
    special: bool
    top: tuple["Token", ...] = ()


class Engine(Protocol):
    """A loaded model that generates for several requests at the same time.

    Every method that works on a request raises GenerationFailed when the engine breaks down.

    Attributes:
        template_shows_tools: the chat template has a place for tools; otherwise it is not given any.
    """

    @property
    def template_shows_tools(self) -> bool: ...

    async def tokenize(self, text: str, add_special: bool) -> list[Piece]:
        """Tokens of `text`, special ones recognised; `add_special` puts the model's own ones around it."""

    async def apply_template(self, messages: Sequence[Message], tools: Sequence[Mapping[str, object]]) -> str:
        """The model's chat template rendered with a generation prompt; `tools` in OpenAI's form.

        Raises:
            TemplateRefused: there is none, or it refuses the messages.
        """

    def generate(
        self, prompt: Sequence[int], sampling: Sampling, max_new_tokens: int, with_probabilities: bool
    ) -> AsyncGenerator[tuple[Token, bool], None]:
        """Continue `prompt` token by token, each with whether it ended the text.

        The caller stops reading at `max_new_tokens` or earlier and closes this generator, which stops the
        work. One that ends by itself before that has lost the rest of the answer.
        """

    async def healthy(self) -> bool:
        """Whether the engine answers and has its model."""

    async def load(self) -> tuple[int, int] | None:
        """Requests that the engine works on, and that wait inside it; None when it does not say in time."""
