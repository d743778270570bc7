"""What config.json says of a decoder: the families that are known, and the sizes that all state. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# model_type: the class that `architectures` names. They differ in biases and norms, not in their matrices.
FAMILIES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


class BadNumber(ValueError):
    """A number that config.json lacks, or states as something else."""

    def __init__(self, key: str, value: object) -> None:
        super().__init__(f"expected {key} in config.json as a whole number, found {value!r}")
        self.key, self.value = key, value


@dataclass(frozen=True)
class DecoderSizes:
    """A decoder with grouped-query attention. `tied`: the head is the embedding."""

    hidden: int
    layers: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_dim: int
    tied: bool

    @property
    def query(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def key_value(self) -> int:
        """Width of the keys (and of the values) of one token in one layer."""
        return self.kv_heads * self.head_dim


def decoder_sizes(config: Mapping[str, Any]) -> DecoderSizes:
    """The sizes, with what transformers takes where a config leaves one out.

    Raises:
        BadNumber: the first that is missing or no number.
    """
    hidden, heads = whole(config, "hidden_size"), whole(config, "num_attention_heads")
    return DecoderSizes(
        hidden=hidden,
        layers=whole(config, "num_hidden_layers"),
        vocabulary=whole(config, "vocab_size"),
        heads=heads,
        kv_heads=whole(config, "num_key_value_heads", heads),
        head_dim=whole(config, "head_dim", hidden // heads),
        tied=bool(config.get("tie_word_embeddings")),
    )


def whole(config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A positive whole number; `default` stands for one that is absent or null.

    Raises:
        BadNumber: there is none.
    """
    value = config.get(key)
    if value is None and default is not None:
        return default
    if type(value) is not int or value < 1:
        raise BadNumber(key, value)
    return value
