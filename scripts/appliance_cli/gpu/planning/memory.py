"""How TGI 3.3.7 divides a card: what it needs beside the weights, and the KV cache that is left. Pure; bytes.

TGI loads the weights, runs one prefill as large as the prefill budget, and then takes as KV cache

    tokens = floor(max(0, free - (1 - 0.9 f) total) / bytes a token) + the warm-up's own tokens

(server/text_generation_server/models/flash_causal_lm.py, warmup(); utils/import_utils.py,
get_cuda_free_memory(); block size 1 with flashinfer). f is --cuda-memory-fraction, 0.9 is TGI_WIGGLE_ROOM,
free and total are cudaMemGetInfo's, so other programs' memory shrinks the cache. PyTorch's allocator is
capped at f x total (utils/dist.py), the CUDA context not counted. CUDA graphs come on top, out of the 0.1
that is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance_cli.gpu.planning import MIB
from appliance_cli.gpu.planning.architecture import Architecture, linear_matrices
from appliance_cli.gpu.planning.weights import Format

WIGGLE_ROOM = 0.9
CUDA_GRAPHS = (1, 2, 4, 8, 16, 32)
# Estimates: what a process holds besides PyTorch's allocations (bench/gpu/measure_weights.py measures it),
# and the buffer that flashinfer plans with (layers/attention/flashinfer.py).
CUDA_CONTEXT = 512 * MIB
ATTENTION_WORKSPACE = 128 * MIB
_GRAPH_BASE, _GRAPH_EACH = 32 * MIB, 8 * MIB
_LOGIT_BYTES = 2 + 4  # in the model's dtype, and once more in float32 for sampling


@dataclass(frozen=True)
class Fixed:
    """What is there whatever the KV cache is: bytes on one card."""

    context: int
    workspace: int
    weights: int
    activations: int
    graphs: int

    @property
    def allocated(self) -> int:
        """What PyTorch's allocator holds during the warm-up, its KV cache not counted."""
        return self.workspace + self.weights + self.activations


@dataclass(frozen=True)
class Device:
    """A card as CUDA sees it: ``total`` of cudaMemGetInfo, ``others``: what other programs hold."""

    total: int
    others: int = 0


def kv_tokens(device: Device, fraction: float, fixed: Fixed, kv_bytes: int, warmup_tokens: int) -> int:
    """Tokens of KV cache by TGI's formula; 0 when the warm-up itself does not fit."""
    if not warmup_fits(device, fraction, fixed, kv_bytes, warmup_tokens):
        return 0
    used = device.others + fixed.context + fixed.allocated + warmup_tokens * kv_bytes
    free = device.total - used
    return int(max(0, free - (1 - WIGGLE_ROOM * fraction) * device.total) // kv_bytes) + warmup_tokens


def warmup_fits(device: Device, fraction: float, fixed: Fixed, kv_bytes: int, warmup_tokens: int) -> bool:
    """Whether the warm-up's prefill stays below the allocator's cap and the card's memory."""
    allocated = fixed.allocated + warmup_tokens * kv_bytes
    present = device.others + fixed.context + allocated + fixed.graphs
    return allocated <= fraction * device.total and present <= device.total


def device_use(device: Device, fixed: Fixed, kv_bytes: int, tokens: int) -> int:
    """What `nvidia-smi` shows for TGI at its busiest: everything fixed and ``tokens`` of KV cache."""
    return min(fixed.context + fixed.allocated + fixed.graphs + tokens * kv_bytes, device.total)


def fraction_for(device: Device, target: int, fixed: Fixed) -> float:
    """The largest --cuda-memory-fraction, in hundredths, with which TGI stays below ``target`` bytes."""
    exact = (target + device.others - fixed.graphs) / (WIGGLE_ROOM * device.total)
    return max(0.0, min(whole_card_fraction(device, fixed), _hundredths(exact)))


def whole_card_fraction(device: Device, fixed: Fixed) -> float:
    """The fraction that uses a card to the end: the allocator's cap leaves room for the CUDA context.

    Other programs' memory is no part of it: TGI subtracts that by itself, since it looks at what is free.
    """
    return max(0.0, min(1.0, _hundredths((device.total - fixed.context) / device.total)))


def activations(model: Architecture, tokens: int, format_: Format, shards: int = 1) -> int:
    """Peak of one prefill step of ``tokens``, 16-bit, without KV cache: the MLP of one layer, or its
    dequantisation.

    TGI holds gate and up as one tensor, then act(gate) and its product with up (flash_qwen2_modeling.py,
    Qwen2MLP.forward), beside three hidden states. nf4 dequantises a whole matrix first for more than one row.
    Only the last position's logits are computed.
    """
    hidden, inner = 3 * model.hidden_size, model.intermediate_size // shards
    elementwise = 2 * tokens * (hidden + 4 * inner)
    matmul = 2 * tokens * (hidden + 2 * inner) + dequantised(model, format_, shards)
    return max(elementwise, matmul) + max(CUDA_GRAPHS) * model.vocab_size * _LOGIT_BYTES


def graphs(
    model: Architecture, format_: Format, sizes: Sequence[int], shards: int = 1, fast: bool = False
) -> int:
    """CUDA graphs for batches of ``sizes``; an estimate, not measured under TGI.

    Their shared pool keeps the largest temporary: for nf4 with bitsandbytes 0.45.2 and more than one row that
    is a whole dequantised matrix; the fused kernels of 0.50 (``fast``) need none.
    """
    if not sizes:
        return 0
    largest = max(sizes)
    kept = dequantised(model, format_, shards) if largest > 1 and not fast else 0
    return _GRAPH_BASE + _GRAPH_EACH * len(sizes) + largest * model.vocab_size * _LOGIT_BYTES + kept


def dequantised(model: Architecture, format_: Format, shards: int = 1) -> int:
    """The largest matrix in 16 bits, which bitsandbytes makes anew at every step with more than one row."""
    if format_ not in ("nf4", "nf4-single"):
        return 0
    return max(2 * matrix.elements for matrix in linear_matrices(model)) // shards


def _hundredths(value: float) -> float:
    return int(value * 100 + 1e-9) / 100
