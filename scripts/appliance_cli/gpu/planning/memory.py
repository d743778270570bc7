"""How TGI 3.3.7 divides a card: what it needs beside the weights, and the KV cache that is left. Pure; bytes.

TGI loads the weights, runs one prefill as large as the prefill budget, and then takes as KV cache

    tokens = floor(max(0, free - (1 - 0.9 f) total) / bytes a token) + the warm-up's own tokens

(server/text_generation_server/models/flash_causal_lm.py, warmup(); utils/import_utils.py,
get_cuda_free_memory(); block size 1 with flashinfer). f is --cuda-memory-fraction, 0.9 is TGI_WIGGLE_ROOM,
free and total are cudaMemGetInfo's, so other programs' memory shrinks the cache. What the warm-up's prefill
took is given back afterwards; CUDA graphs, and what serving takes beside the cache, come on top. PyTorch's
allocator is capped at f x total (utils/dist.py), the CUDA context not counted: that is the hard ceiling.

The constants are calibrated on TGI's own launcher, router and server, run with Qwen2.5-7B's architecture
(docs/performance.md): tests/unit/appliance_cli/gpu/measured_memory.json has every row. Each errs to the safe
side: fewer tokens, more in use. With an RTX 4090 the context and the modules were not measured; nothing here
assumes that they are smaller there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance_cli.gpu.planning import MIB
from appliance_cli.gpu.planning.architecture import Architecture, linear_matrices
from appliance_cli.gpu.planning.weights import Format

WIGGLE_ROOM = 0.9
CUDA_GRAPHS = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128)
CUDA_CONTEXT = 676 * MIB
"""Measured on an H100 and an H200 (bench/gpu/measure_weights.py); no other card is assumed to have less."""
ATTENTION_WORKSPACE = 128 * MIB
"""The buffer that flashinfer plans with (layers/attention/flashinfer.py)."""
PREFILL_REST = 32 * MIB
"""Inputs, the last positions' logits and sampling of the warm-up's prefill: measured together."""
SERVING_REST = 810 * MIB
"""What decoding adds once the cache is there: modules of cuBLAS, Triton and bitsandbytes that are loaded at
their first use, executable graphs, the cache's tensors rounded to PyTorch's 2 MiB, splinters of its blocks.
The least that covers every measured row (nf4 and bf16 differ by less than 130 MiB)."""
LOADING_LEAVES = 1.4
"""Holes that quantising while loading leaves in PyTorch's blocks, in units of the largest 16-bit matrix."""
SAMPLING_BYTES = 28
"""Of a row and an entry of the vocabulary: logits in 16 and 32 bits, sorted copies and their 64-bit indexes.
Measured: 24 with plain sampling, 27 with top_p."""
_GRAPH_EACH = 8 * MIB  # flashinfer's integer workspace, one for each captured size
_FAST_ROWS = 64  # above, bitsandbytes 0.50 dequantises whole matrices, too
_LARGE, _SEGMENT, _ROUNDING = 10 * MIB, 20 * MIB, 2 * MIB  # PyTorch's CUDACachingAllocator


@dataclass(frozen=True)
class Fixed:
    """What is there whatever the KV cache is: bytes on one card.

    ``activations`` and ``loading`` are the warm-up's, which it gives back; ``graphs`` and ``serving`` come
    when the cache has been taken.
    """

    context: int
    workspace: int
    weights: int
    activations: int
    loading: int
    graphs: int
    serving: int

    @property
    def allocated(self) -> int:
        """What PyTorch's allocator holds during the warm-up, its KV cache not counted."""
        return self.workspace + self.weights + self.activations + self.loading


@dataclass(frozen=True)
class Device:
    """A card as CUDA sees it: ``total`` of cudaMemGetInfo, ``others``: what other programs hold."""

    total: int
    others: int = 0


@dataclass(frozen=True)
class Cache:
    """The KV cache: bytes a ``token``, in equal ``tensors``; ``warmup``: tokens that the warm-up has."""

    token: int
    tensors: int
    warmup: int

    @property
    def warmup_bytes(self) -> int:
        """What PyTorch reserves for the warm-up's cache.

        A tensor below 10 MiB shares a block of 20 with its like, a larger one is rounded up to 2 MiB.
        """
        each = max(1, self.warmup * self.token // self.tensors)
        if each >= _LARGE:
            return self.tensors * -(-each // _ROUNDING) * _ROUNDING
        return -(-self.tensors // (_SEGMENT // each)) * _SEGMENT


def kv_tokens(device: Device, fraction: float, fixed: Fixed, cache: Cache) -> int:
    """Tokens of KV cache by TGI's formula; 0 when the warm-up itself does not fit."""
    allocated = fixed.allocated + cache.warmup_bytes
    used = device.others + fixed.context + allocated
    if allocated > fraction * device.total or used > device.total:
        return 0
    free = device.total - used
    return int(max(0, free - (1 - WIGGLE_ROOM * fraction) * device.total) // cache.token) + cache.warmup


def in_use(fixed: Fixed, cache: Cache, tokens: int) -> int:
    """The most that `nvidia-smi` shows for TGI while it serves, ``tokens`` of KV cache among it."""
    return (
        fixed.context + fixed.workspace + fixed.weights + tokens * cache.token + fixed.graphs + fixed.serving
    )


def ceiling(device: Device, fraction: float) -> int:
    """What TGI can never pass: PyTorch's cap and the CUDA context."""
    return min(device.total, int(fraction * device.total) + CUDA_CONTEXT)


def fraction_for(device: Device, target: int, fixed: Fixed, cache: Cache) -> float:
    """The largest --cuda-memory-fraction, in thousandths, with which TGI stays below ``target`` bytes."""
    unbounded = Device(1 << 50)
    tokens = kv_tokens(unbounded, 1.0, fixed, cache)
    # what is in use beside the 0.9 f total that the warm-up fills: the same at every fraction
    beside = in_use(fixed, cache, tokens) - int(WIGGLE_ROOM * unbounded.total)
    exact = (target + device.others - beside) / (WIGGLE_ROOM * device.total)
    return max(0.0, min(whole_card_fraction(device), int(exact * 1000 + 1e-9) / 1000))


def whole_card_fraction(device: Device) -> float:
    """The fraction, in hundredths, that uses a card to the end: the cap leaves room for the CUDA context.

    Other programs' memory is no part of it: TGI subtracts that by itself, since it looks at what is free.
    """
    return max(0.0, min(1.0, int(100 * (device.total - CUDA_CONTEXT) / device.total + 1e-9) / 100))


def warmup_tokens(budget: int, max_input: int, max_total: int) -> int:
    """Tokens that the warm-up's cache has: of each of its requests the whole conversation.

    As many requests as fill the budget (backends/v3/src/client/grpc_client.rs, warmup()).
    """
    return -(-budget // max_input) * (max_total - 1)


def activations(model: Architecture, tokens: int, format_: Format, shards: int = 1) -> int:
    """Peak of one prefill step of ``tokens``, 16-bit, without KV cache: the MLP of one layer.

    TGI holds gate and up as one tensor, then act(gate) and its product with up (flash_qwen2_modeling.py,
    Qwen2MLP.forward), beside three hidden states. Where nothing was quantised while loading, PyTorch has no
    holes to put those into: it splits the block of gate and up, and reserves another (measured with bf16).
    """
    hidden, inner = 3 * model.hidden_size, model.intermediate_size // shards
    widths = 4 if format_ in ("nf4", "nf4-single") else 6
    return 2 * tokens * (hidden + widths * inner) + PREFILL_REST


def loading(model: Architecture, format_: Format, shards: int = 1) -> int:
    """What quantising leaves behind until the cache is taken: holes, and for nf4 one dequantised matrix."""
    if format_ in ("bf16", "awq", "gptq"):
        return 0
    dequantised = 1 if format_ in ("nf4", "nf4-single") else 0
    return int((LOADING_LEAVES + dequantised) * largest_matrix(model, shards))


def graphs(
    model: Architecture, format_: Format, sizes: Sequence[int], shards: int = 1, fast: bool = False
) -> int:
    """CUDA graphs for batches of ``sizes``: each keeps its logits and its own workspace.

    Their shared pool keeps the largest temporary: for nf4 a whole dequantised matrix, with bitsandbytes
    0.45.2 for more than one row, with 0.50 (``fast``) for more than 64.
    """
    if not sizes:
        return 0
    kept = 0
    if format_ in ("nf4", "nf4-single") and max(sizes) > (_FAST_ROWS if fast else 1):
        kept = largest_matrix(model, shards)
    return len(sizes) * _GRAPH_EACH + sum(sizes) * model.vocab_size * 2 + kept


def serving(
    model: Architecture, budget: int, rows: int, format_: Format, shards: int = 1, fast: bool = False
) -> int:
    """What serving ``rows`` conversations takes beside cache and graphs: a full prefill, and sampling.

    With bitsandbytes 0.45.2 (not ``fast``) another dequantised matrix, outside the graphs' pool.
    """
    inner = model.intermediate_size // shards
    prefill = 2 * budget * (3 * model.hidden_size + 4 * inner)
    dequantised = largest_matrix(model, shards) if format_ in ("nf4", "nf4-single") and not fast else 0
    return prefill + rows * model.vocab_size * SAMPLING_BYTES + dequantised + SERVING_REST


def largest_matrix(model: Architecture, shards: int = 1) -> int:
    """The largest linear layer in 16 bits, which bitsandbytes makes anew where it dequantises."""
    return max(2 * matrix.elements for matrix in linear_matrices(model)) // shards
