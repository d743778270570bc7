"""Reads what is needed of a GGUF file's header: context length, chat template, odd tokens.

llama.cpp's HTTP API tells neither which tokens are special nor the bytes of a token that is half a character;
the file does. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Does not touch tensors.
"""

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from cpu_engine.errors import ModelError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_NORMAL, _CONTROL, _BYTE = 1, 3, 6  # values of tokenizer.ggml.token_type
_VERSIONS = (2, 3)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens that need care.

    Attributes:
        special: text of the control tokens (end of turn, …) by id; never part of the generated text.
        fragments: bytes of the tokens that are not valid UTF-8 on their own, by id.
    """

    special: dict[int, str]
    fragments: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a GGUF header says about its model. `context_length` is in tokens."""

    context_length: int
    has_chat_template: bool
    template_shows_tools: bool
    eos_token_id: int
    vocabulary: Vocabulary


def read_model_file(path: Path) -> ModelFile:
    """Read the header of the GGUF file at `path`.

    Raises:
        ModelError: it is not a GGUF file that llama.cpp could serve.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            metadata = _Header(data).read()
        return _model_file(metadata)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise ModelError(
            f"{path}: expected a GGUF language model, found {error!r}, publish another file"
        ) from None


def _model_file(metadata: dict[str, object]) -> ModelFile:
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    if not isinstance(tokens, list) or not isinstance(types, tuple):
        raise TypeError("tokenizer.ggml.tokens or tokenizer.ggml.token_type is not an array")
    byte_level = metadata.get("tokenizer.ggml.model") == "gpt2"
    return ModelFile(
        context_length=int(str(metadata[f"{metadata['general.architecture']}.context_length"])),
        has_chat_template="tokenizer.chat_template" in metadata,
        template_shows_tools=bool(re.search(r"\btools\b", str(metadata.get("tokenizer.chat_template", "")))),
        eos_token_id=int(str(metadata.get("tokenizer.ggml.eos_token_id", 0))),
        vocabulary=Vocabulary(
            special={index: tokens[index] for index, kind in enumerate(types) if kind == _CONTROL},
            fragments=_fragments(tokens, types, byte_level),
        ),
    )


def _fragments(tokens: list[str], types: tuple[int, ...], byte_level: bool) -> dict[int, bytes]:
    alphabet = _byte_level_alphabet()
    found: dict[int, bytes] = {}
    for index, (token, kind) in enumerate(zip(tokens, types, strict=True)):
        if kind == _BYTE:  # SentencePiece writes a byte as <0x0A>
            raw = bytes([int(token[3:5], 16)])
        elif byte_level and kind == _NORMAL and not token.isascii():
            raw = bytes(alphabet[char] for char in token)
        else:
            continue
        if not _is_utf8(raw):
            found[index] = raw
    return found


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _byte_level_alphabet() -> dict[str, int]:
    """Byte of each character of byte-level BPE: printable bytes are themselves, others start at U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + rank): byte for rank, byte in enumerate(others)
    }


class _Header:
    """A cursor over the key-value part of a GGUF file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.offset = 0

    def read(self) -> dict[str, object]:
        """All metadata; arrays of numbers become tuples, arrays of strings lists."""
        magic, version = self._bytes(4), self._uint(4)
        if magic != b"GGUF" or version not in _VERSIONS:
            raise ValueError(f"magic {magic!r}, version {version}")
        self._uint(8)  # number of tensors
        return {self._string(): self._value(self._uint(4)) for _ in range(self._uint(8))}

    def _bytes(self, size: int) -> bytes:
        start, self.offset = self.offset, self.offset + size
        return self.data[start : self.offset]

    def _uint(self, size: int) -> int:
        return int.from_bytes(self._bytes(size), "little")

    def _string(self) -> str:
        return self._bytes(self._uint(8)).decode("utf-8", "replace")

    def _numbers(self, kind: int, count: int) -> tuple[object, ...]:
        layout = f"<{count}{_SCALARS[kind]}"
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))

    def _value(self, kind: int) -> object:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._numbers(kind, 1)[0]
        item, count = self._uint(4), self._uint(8)
        return [self._string() for _ in range(count)] if item == _STRING else self._numbers(item, count)
