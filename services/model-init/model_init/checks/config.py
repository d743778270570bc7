"""Does config.json agree with the tensors? Owns the names and shapes that the known families imply. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from model_files.config_json import FAMILIES, DecoderSizes, decoder_sizes
from model_files.safetensors_header import Tensor

_LAYER = re.compile(r"model\.layers\.(\d+)\.")


class ConfigError(Exception):
    """How configuration and tensors disagree, as `expected …, found …`."""


def check_config(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> list[str]:
    """Compare layers, hidden size, vocabulary and attention heads with the tensors' shapes.

    Returns:
        Notes on what could not be checked: another architecture, quantized weights.

    Raises:
        ConfigError: the first disagreement.
        BadNumber: a size that config.json does not state.
    """
    architectures = config.get("architectures") or []
    if not any(name in FAMILIES.values() for name in architectures):
        return [f"config.json names {architectures or 'no architecture'}: shapes are not compared with it"]
    if config.get("quantization_config"):
        return ["the weights are quantized already: shapes are not compared with config.json"]
    sizes = decoder_sizes(config)
    _check_layers(sizes, tensors)
    expected = {
        "model.embed_tokens.weight": (sizes.vocabulary, sizes.hidden),
        "model.norm.weight": (sizes.hidden,),
    }
    if not sizes.tied or "lm_head.weight" in tensors:
        expected["lm_head.weight"] = (sizes.vocabulary, sizes.hidden)
    for layer in range(sizes.layers):
        attention = f"model.layers.{layer}.self_attn"
        expected[f"{attention}.q_proj.weight"] = (sizes.query, sizes.hidden)
        expected[f"{attention}.k_proj.weight"] = (sizes.key_value, sizes.hidden)
        expected[f"{attention}.v_proj.weight"] = (sizes.key_value, sizes.hidden)
        expected[f"{attention}.o_proj.weight"] = (sizes.hidden, sizes.query)
    for name, shape in expected.items():
        if name not in tensors:
            raise ConfigError(f"config.json expects the tensor {name}, found none")
        if tensors[name].shape != shape:
            raise ConfigError(
                f"config.json expects {name} of shape {list(shape)}, found {list(tensors[name].shape)}"
            )
    return []


def _check_layers(sizes: DecoderSizes, tensors: Mapping[str, Tensor]) -> None:
    found = {int(match[1]) for match in map(_LAYER.match, tensors) if match}
    if found != set(range(sizes.layers)):
        raise ConfigError(
            f"config.json expects {sizes.layers} layers from 0 on, found {len(found)}"
            + (f", the last one {max(found)}" if found else "")
        )
