"""Does config.json agree with the tensors? Owns the shapes that Llama-like architectures imply. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .safetensors import Tensor

LLAMA_LIKE = frozenset({"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"})
_LAYER = re.compile(r"model\.layers\.(\d+)\.")


class ConfigError(Exception):
    """How configuration and tensors disagree, as `expected …, found …`."""


@dataclass(frozen=True)
class _Sizes:
    hidden: int
    layers: int
    vocabulary: int
    q_rows: int
    kv_rows: int
    tied: bool


def check_config(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> list[str]:
    """Compare layers, hidden size, vocabulary and attention heads with the tensors' shapes.

    Returns:
        Notes on what could not be checked: another architecture, quantized weights.

    Raises:
        ConfigError: the first disagreement.
    """
    architectures = config.get("architectures") or []
    if not any(name in LLAMA_LIKE for name in architectures):
        return [f"config.json names {architectures or 'no architecture'}: shapes are not compared with it"]
    if config.get("quantization_config"):
        return ["the weights are quantized already: shapes are not compared with config.json"]
    sizes = _sizes(config)
    _check_layers(sizes, tensors)
    expected = {
        "model.embed_tokens.weight": (sizes.vocabulary, sizes.hidden),
        "model.norm.weight": (sizes.hidden,),
    }
    if not sizes.tied or "lm_head.weight" in tensors:
        expected["lm_head.weight"] = (sizes.vocabulary, sizes.hidden)
    for layer in range(sizes.layers):
        attention = f"model.layers.{layer}.self_attn"
        expected[f"{attention}.q_proj.weight"] = (sizes.q_rows, sizes.hidden)
        expected[f"{attention}.k_proj.weight"] = (sizes.kv_rows, sizes.hidden)
        expected[f"{attention}.v_proj.weight"] = (sizes.kv_rows, sizes.hidden)
        expected[f"{attention}.o_proj.weight"] = (sizes.hidden, sizes.q_rows)
    for name, shape in expected.items():
        if name not in tensors:
            raise ConfigError(f"config.json expects the tensor {name}, found none")
        if tensors[name].shape != shape:
            raise ConfigError(
                f"config.json expects {name} of shape {list(shape)}, found {list(tensors[name].shape)}"
            )
    return []


def _check_layers(sizes: _Sizes, tensors: Mapping[str, Tensor]) -> None:
    found = {int(match[1]) for match in map(_LAYER.match, tensors) if match}
    if found != set(range(sizes.layers)):
        raise ConfigError(
            f"config.json expects {sizes.layers} layers from 0 on, found {len(found)}"
            + (f", the last one {max(found)}" if found else "")
        )


def _sizes(config: Mapping[str, Any]) -> _Sizes:
    hidden, heads = _count(config, "hidden_size"), _count(config, "num_attention_heads")
    kv_heads = _count(config, "num_key_value_heads", heads)
    head_dim = _count(config, "head_dim", hidden // heads)
    return _Sizes(
        hidden=hidden,
        layers=_count(config, "num_hidden_layers"),
        vocabulary=_count(config, "vocab_size"),
        q_rows=heads * head_dim,
        kv_rows=kv_heads * head_dim,
        tied=bool(config.get("tie_word_embeddings")),
    )


def _count(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = config.get(name)
    if value is None and default is not None:
        return default
    if type(value) is not int or value < 1:
        raise ConfigError(f"expected {name} in config.json as a whole number, found {value!r}")
    return value
