"""llama.cpp as an `Engine`: its server's frames become tokens, with what the model's file says about them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from cpu_engine.engine import Message, Piece, Sampling, Token
from cpu_engine.errors import TemplateRefused
from cpu_engine.llama.client import LlamaClient
from cpu_engine.llama.decoding import FrameReader
from cpu_engine.llama.gguf import ModelFile


class LlamaEngine:
    """Fulfils `cpu_engine.engine.Engine`, where its methods are described.

    Args:
        client: llama.cpp's server.
        model: what its file says.
    """

    def __init__(self, client: LlamaClient, model: ModelFile) -> None:
        self._client = client
        self._model = model

    async def tokenize(self, text: str, add_special: bool) -> list[Piece]:
        return await self._client.tokenize(text, add_special)

    @property
    def template_shows_tools(self) -> bool:
        return self._model.template_shows_tools

    async def apply_template(self, messages: Sequence[Message], tools: Sequence[Mapping[str, object]]) -> str:
        if not self._model.has_chat_template:
            raise TemplateRefused("template not found")
        return await self._client.apply_template(messages, tools)

    async def generate(
        self, prompt: Sequence[int], sampling: Sampling, max_new_tokens: int, with_probabilities: bool
    ) -> AsyncGenerator[tuple[Token, bool], None]:
        """Only llama.cpp knows which special tokens end a text, and says so in its last frame; so a special
        token waits for the next frame.
        """
        reader = FrameReader(self._model.vocabulary, sampling.top_n_tokens)
        frames = self._client.complete(prompt, sampling, max_new_tokens, with_probabilities)
        held: Token | None = None
        async with aclosing(frames):
            async for frame in frames:
                if frame["stop"]:
                    if frame["stop_type"] == "eos":
                        yield held or Token(self._model.eos_token_id, "", None, True), True
                    for _ in range(frame["tokens_predicted"] - reader.seen):  # cut off inside a character
                        yield Token(None, "", None, False), False
                    return
                for token in reader.read(frame):
                    if held:
                        yield held, False
                    held = token if token.special else None
                    if held is None:
                        yield token, False

    async def healthy(self) -> bool:
        return await self._client.healthy()

    async def load(self) -> tuple[int, int] | None:
        return await self._client.slots()
