"""A decoder's shape from its config.json: the numbers that memory depends on. Pure: no I/O.

Knows Qwen2/Qwen2.5, Qwen3, Llama and Mistral, which differ only in biases and norms. Everything else is
refused: a wrong guess of a gigabyte is worse than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance_cli.base.errors import BadSetting
from appliance_cli.gpu.planning.checkpoint_quantization import CheckpointQuantization, parse_quantization
from model_files.config_json import FAMILIES, BadNumber, decoder_sizes, whole

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True)
class Architecture:
    """A dense decoder with grouped-query attention. Sizes count elements; names follow config.json."""

    model_type: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    tie_word_embeddings: bool
    qkv_bias: bool
    output_bias: bool
    mlp_bias: bool
    qk_norm: bool
    quantization: CheckpointQuantization | None = None

    @property
    def query_size(self) -> int:
        """Width of all query heads together."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        """Width of the keys (and of the values) of one token in one layer."""
        return self.num_key_value_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """Parameters of the unquantised model, a tied head counted once (as checkpoints hold it)."""
        matrices = sum(matrix.elements for matrix in linear_matrices(self)) * self.num_hidden_layers
        heads = 1 if self.tie_word_embeddings else 2
        return matrices + small_parameters(self) + heads * self.vocab_size * self.hidden_size


@dataclass(frozen=True)
class Matrix:
    """A linear layer's weight as TGI holds it, fused ones as one. Elements, [out_features, in_features]."""

    name: str
    out_features: int
    in_features: int

    @property
    def elements(self) -> int:
        """How many weights it has."""
        return self.out_features * self.in_features


def linear_matrices(model: Architecture) -> tuple[Matrix, ...]:
    """One layer's linear weights, fused as in TGI's flash_qwen2_modeling.py."""
    return (
        Matrix("qkv_proj", model.query_size + 2 * model.key_value_size, model.hidden_size),
        Matrix("o_proj", model.hidden_size, model.query_size),
        Matrix("gate_up_proj", 2 * model.intermediate_size, model.hidden_size),
        Matrix("down_proj", model.hidden_size, model.intermediate_size),
    )


def small_parameters(model: Architecture) -> int:
    """Norms and biases of the whole model: what no mode quantises."""
    layer = 2 * model.hidden_size
    layer += (model.query_size + 2 * model.key_value_size) if model.qkv_bias else 0
    layer += model.hidden_size if model.output_bias else 0
    layer += (2 * model.intermediate_size + model.hidden_size) if model.mlp_bias else 0
    layer += 2 * model.head_dim if model.qk_norm else 0
    return model.num_hidden_layers * layer + model.hidden_size


def kv_bytes_per_token(model: Architecture, element_bytes: int = 2) -> int:
    """Keys and values of one token in all layers: layers x 2 x key/value heads x head_dim x bytes.

    ``element_bytes``: 2 for bf16 and fp16, 1 for the fp8 formats (TGI 3.3.7, flash_causal_lm.py, warmup()).
    """
    return model.num_hidden_layers * 2 * model.key_value_size * element_bytes


def from_config(config: Mapping[str, Any], source: str) -> Architecture:
    """The architecture that a config.json describes; ``source`` names the file in errors.

    Raises:
        BadSetting: for a model that this planner cannot work out, or a config that lacks a number.
    """
    model_type = str(config.get("model_type", ""))
    _refuse_unknown(config, model_type, source)

    try:
        sizes = decoder_sizes(config)
        inner, positions = whole(config, "intermediate_size"), whole(config, "max_position_embeddings")
    except BadNumber as error:
        raise BadSetting(
            f"{source} cannot be planned with",
            expected=f"{error.key} as a positive whole number",
            found=repr(error.value),
            remedy="see that the file is the model's own config.json",
        ) from None
    attention_bias = bool(config.get("attention_bias", model_type == "qwen2"))
    return Architecture(
        model_type=model_type,
        hidden_size=sizes.hidden,
        intermediate_size=inner,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.kv_heads,
        head_dim=sizes.head_dim,
        vocab_size=sizes.vocabulary,
        max_position_embeddings=positions,
        tie_word_embeddings=sizes.tied,
        qkv_bias=attention_bias,
        output_bias=attention_bias and model_type != "qwen2",
        mlp_bias=bool(config.get("mlp_bias", False)),
        qk_norm=model_type == "qwen3",
        quantization=parse_quantization(config.get("quantization_config"), source),
    )


def _refuse_unknown(config: Mapping[str, Any], model_type: str, source: str) -> None:
    experts = next((key for key in _EXPERTS if config.get(key)), None)
    if experts or "moe" in model_type or model_type == "mixtral":
        raise BadSetting(
            f"{source} cannot be planned with",
            expected="a dense model",
            found=f"a mixture of experts ({model_type}{f', {experts}={config[experts]}' if experts else ''})",
            remedy="choose a dense model; TGI 3.3.7 does not quantise experts to nf4 when it loads them",
        )
    if model_type not in FAMILIES:
        raise BadSetting(
            f"{source} cannot be planned with",
            expected=f"a model_type of {', '.join(FAMILIES)}",
            found=model_type or "no model_type",
            remedy="choose one of those families (the default is Qwen/Qwen2.5-7B-Instruct)",
        )
