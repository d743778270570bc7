"""What a model's weights take on the card, mode by mode, as TGI 3.3.7 holds them. Pure; bytes.

In every mode the embedding, the head, norms and biases stay 16-bit (layers/tensor_parallel.py). TGI holds the
embedding with one more row (`F.pad` in TensorParallelEmbedding) and loads the head as a matrix of its own
even where the checkpoint ties it to the embedding.

- **bf16**: 2 bytes a weight.
- **nf4** (layers/bnb.py: `Params4bit(compress_statistics=True)`; bitsandbytes 0.45.2, functional.py,
  quantize_4bit): 4 bits a weight; per 64 weights an absmax, itself quantised to 8 bits; per 256 of those a
  32-bit absmax; per matrix two code tables (16 and 256 floats) and one offset. Together 4.127 bits (Dettmers
  et al. 2023, QLoRA).
- **eetq** (layers/eetq.py): 8 bits a weight, a 16-bit scale per output feature.
- **bitsandbytes int8** (layers/bnb.py: Int8Params): 8 bits a weight, a 32-bit scale per output feature.
- **fp8** (layers/marlin/fp8.py): 8 bits a weight, a 16-bit scale per output feature, and Marlin's workspace.
- **awq, gptq** (layers/marlin/gptq.py): the checkpoint's bits; per group and output feature a 16-bit scale
  and, when asymmetric, a zero point of as many bits as a weight; with desc_act two 32-bit indexes per input
  feature.
"""

from dataclasses import dataclass
from typing import Literal

from appliance_cli.gpu.planning.architecture import Architecture, Matrix, linear_matrices, small_parameters
from appliance_cli.gpu.planning.checkpoint_quantization import CheckpointQuantization

Format = Literal["bf16", "nf4", "nf4-single", "eetq", "int8", "fp8", "awq", "gptq"]
FORMATS: tuple[Format, ...] = ("bf16", "nf4", "nf4-single", "eetq", "int8", "fp8", "awq", "gptq")

NF4_BLOCK = 64
NF4_SECOND_BLOCK = 256
_NF4_TABLES = 16 * 4 + 256 * 4 + 4
_DTYPE_BYTES = 2


@dataclass(frozen=True)
class Weights:
    """Bytes on one card: the quantised matrices, the 16-bit embedding and head, norms and biases."""

    linear: int
    embedding: int
    head: int
    small: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.linear + self.embedding + self.head + self.small


def tgi_weights(model: Architecture, format_: Format, shards: int = 1) -> Weights:
    """What TGI puts on each of ``shards`` cards (tensor parallelism splits matrices, embedding and head)."""
    linear = sum(
        matrix_bytes(_shard(matrix, shards), format_, model.quantization) for matrix in linear_matrices(model)
    )
    # a vocabulary that does not divide is loaded whole (TensorParallelHead.load)
    head_rows = model.vocab_size // shards if model.vocab_size % shards == 0 else model.vocab_size
    row = model.hidden_size * _DTYPE_BYTES
    return Weights(
        linear=linear * model.num_hidden_layers,
        embedding=(-(-model.vocab_size // shards) + 1) * row,
        head=head_rows * row,
        small=small_parameters(model) * _DTYPE_BYTES,
    )


def transformers_weights(model: Architecture, format_: Format) -> Weights:
    """The same in transformers, whose layers are not fused and whose tied head costs nothing.

    Used to compare the arithmetic with measurements made there.
    """
    linear = sum(matrix_bytes(part, format_, model.quantization) for part in _unfused(model))
    embedding = model.vocab_size * model.hidden_size * _DTYPE_BYTES
    return Weights(
        linear=linear * model.num_hidden_layers,
        embedding=embedding,
        head=0 if model.tie_word_embeddings else embedding,
        small=small_parameters(model) * _DTYPE_BYTES,
    )


def matrix_bytes(matrix: Matrix, format_: Format, checkpoint: CheckpointQuantization | None = None) -> int:
    """One linear layer's weight.

    ``checkpoint`` is needed for awq and gptq, whose bits and groups it states.
    """
    elements, out = matrix.elements, matrix.out_features
    if format_ == "bf16":
        return elements * _DTYPE_BYTES
    if format_ == "nf4":
        blocks = -(-elements // NF4_BLOCK)
        return -(-elements // 2) + blocks + 4 * -(-blocks // NF4_SECOND_BLOCK) + _NF4_TABLES
    if format_ == "nf4-single":
        return -(-elements // 2) + 4 * -(-elements // NF4_BLOCK) + 16 * 4
    if format_ == "eetq":
        return elements + 2 * out
    if format_ == "int8":
        return elements + 4 * out
    if format_ == "fp8":
        return elements + 2 * out + _marlin_workspace(out)
    if checkpoint is None:
        raise ValueError(f"{format_} needs the checkpoint's own quantization_config")
    return _grouped_bytes(matrix, checkpoint)


def checkpoint_bytes(model: Architecture) -> int:
    """Bytes of the checkpoint's tensors on disk: 2 a parameter, or what its own quantisation takes."""
    if model.quantization is None:
        return model.parameters * _DTYPE_BYTES
    parts = [_stored_bytes(part, model.quantization) for part in _unfused(model)]
    rows = model.vocab_size * (1 if model.tie_word_embeddings else 2)
    plain = (small_parameters(model) + rows * model.hidden_size) * _DTYPE_BYTES
    return sum(parts) * model.num_hidden_layers + plain


def _grouped_bytes(matrix: Matrix, checkpoint: CheckpointQuantization) -> int:
    groups = 1 if checkpoint.group_size == -1 else -(-matrix.in_features // checkpoint.group_size)
    size = matrix.elements * checkpoint.bits // 8 + groups * matrix.out_features * 2
    if not (checkpoint.symmetric and checkpoint.marlin):
        size += groups * matrix.out_features * checkpoint.bits // 8
    if checkpoint.desc_act:
        size += 2 * 4 * matrix.in_features
    return size + _marlin_workspace(matrix.out_features)


def _stored_bytes(matrix: Matrix, checkpoint: CheckpointQuantization) -> int:
    if checkpoint.method == "fp8":
        return matrix.elements + 4 * matrix.out_features
    groups = 1 if checkpoint.group_size == -1 else -(-matrix.in_features // checkpoint.group_size)
    size = (
        matrix.elements * checkpoint.bits // 8 + groups * matrix.out_features * (2 * 8 + checkpoint.bits) // 8
    )
    return size + (4 * matrix.in_features if checkpoint.method == "gptq" else 0)


def _marlin_workspace(out_features: int) -> int:
    return out_features // 64 * 16 * 4


def _shard(matrix: Matrix, shards: int) -> Matrix:
    """Columns are split for qkv and gate_up, rows for o and down (TensorParallelColumnLinear, …RowLinear)."""
    if matrix.name in ("qkv_proj", "gate_up_proj"):
        return Matrix(matrix.name, matrix.out_features // shards, matrix.in_features)
    return Matrix(matrix.name, matrix.out_features, matrix.in_features // shards)


def _unfused(model: Architecture) -> tuple[Matrix, ...]:
    hidden, width, inner = model.hidden_size, model.key_value_size, model.intermediate_size
    return (
        Matrix("q_proj", model.query_size, hidden),
        Matrix("k_proj", width, hidden),
        Matrix("v_proj", width, hidden),
        Matrix("o_proj", hidden, model.query_size),
        Matrix("gate_proj", inner, hidden),
        Matrix("up_proj", inner, hidden),
        Matrix("down_proj", hidden, inner),
    )
