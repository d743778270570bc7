"""Measures on a real NVIDIA GPU what the planner computes; prints JSON with both and their difference.

Builds Qwen2.5's exact matrices with random weights, layer by layer on the card (memory does not depend on the
values), fused and quantised as text-generation-inference 3.3.7 does it:
`Params4bit(compress_statistics=True)` for the linear layers, 16-bit embedding with one more row, 16-bit head
of its own. PyTorch's allocator is capped at 24 GiB, an RTX 4090's size. Needs torch, bitsandbytes and
nvidia-ml-py; no network. About a minute on an H200.

    PYTHONPATH=scripts:services/model-init python bench/gpu/measure_weights.py [--cap-gib 24] > weights.json
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import bitsandbytes as bnb
import pynvml
import torch

from appliance_cli.gpu.planning import GIB, known_models
from appliance_cli.gpu.planning import memory as planned_memory
from appliance_cli.gpu.planning.architecture import Architecture, Matrix, kv_bytes_per_token, linear_matrices
from appliance_cli.gpu.planning.weights import Format, tgi_weights

KV_TOKENS = 8192
CASES: tuple[tuple[str, Format], ...] = (
    ("Qwen/Qwen2.5-7B-Instruct", "nf4"),
    ("Qwen/Qwen2.5-7B-Instruct", "nf4-single"),
    ("Qwen/Qwen2.5-7B-Instruct", "int8"),
    ("Qwen/Qwen2.5-7B-Instruct", "bf16"),
    ("Qwen/Qwen2.5-1.5B-Instruct", "bf16"),
    ("Qwen/Qwen2.5-1.5B-Instruct", "nf4"),
)


def main() -> int:
    """Run every case; exits 1 when a weight or KV figure is off by more than 2 percent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cap-gib", type=float, default=24.0)
    options = parser.parse_args()
    context = measure_context()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, options.cap_gib * GIB / total))
    cases = [measure(model_id, format_) for model_id, format_ in CASES]
    kv = measure_kv(known_models.find(known_models.DEFAULT_MODEL))
    prefill = measure_prefill(known_models.find(known_models.DEFAULT_MODEL))
    report = {
        "gpu": torch.cuda.get_device_name(0),
        "driver": _driver(),
        "torch": torch.__version__,
        "bitsandbytes": bnb.__version__,
        "cap_gib": options.cap_gib,
        "totals": totals(total),
        "cuda_context": context,
        "weights": cases,
        "kv_cache": kv,
        "prefill_activations": prefill,
    }
    print(json.dumps(report, indent=2))
    worst = max(abs(row["difference_percent"]) for row in [*cases, kv])
    print(f"largest difference in weights and KV cache: {worst:.2f} percent", file=sys.stderr)
    return 0 if worst <= 2 else 1


def measure(model_id: str, format_: Format) -> dict[str, Any]:
    """A model's weights: bytes requested of the allocator, and its peak while loading."""
    model = known_models.find(model_id)
    assert model is not None
    _reset()
    before = _requested()
    held = load(model, format_)
    torch.cuda.synchronize()
    measured = _requested() - before
    allocated = torch.cuda.memory_allocated()
    peak = torch.cuda.max_memory_allocated()
    del held
    planned = tgi_weights(model, format_).total
    return {
        "model": model_id,
        "format": format_,
        "measured": measured,
        "memory_allocated": allocated,
        "load_peak": peak,
        "planned": planned,
        "measured_gib": round(measured / GIB, 3),
        "planned_gib": round(planned / GIB, 3),
        "difference_percent": _difference(planned, measured),
    }


def load(model: Architecture, format_: Format) -> list[Any]:
    """Everything that TGI keeps on the card, in its order: embedding, layers, norm, head."""
    held: list[Any] = [_embedding(model)]
    quantise = QUANTISERS[format_]
    for _ in range(model.num_hidden_layers):
        held += [quantise(_matrix(matrix)) for matrix in linear_matrices(model)]
        held += [_vector(model.hidden_size), _vector(model.hidden_size)]
        if model.qkv_bias:
            held.append(_vector(model.query_size + 2 * model.key_value_size))
    held += [_vector(model.hidden_size), _matrix(Matrix("head", model.vocab_size, model.hidden_size))]
    return held


def _embedding(model: Architecture) -> torch.Tensor:
    loaded = _matrix(Matrix("embedding", model.vocab_size, model.hidden_size))
    return torch.nn.functional.pad(loaded, (0, 0, 0, 1))


def _matrix(matrix: Matrix) -> torch.Tensor:
    shape = (matrix.out_features, matrix.in_features)
    return torch.empty(shape, dtype=torch.bfloat16, device="cuda").normal_(std=0.02)


def _vector(length: int) -> torch.Tensor:
    return torch.ones(length, dtype=torch.bfloat16, device="cuda")


def _four_bit(double: bool) -> Callable[[torch.Tensor], Any]:
    def quantise(weight: torch.Tensor) -> Any:
        parameter = bnb.nn.Params4bit(
            weight, requires_grad=False, compress_statistics=double, quant_type="nf4"
        )
        return parameter.cuda(weight.device)

    return quantise


def _eight_bit(weight: torch.Tensor) -> Any:
    # what Int8Params keeps; newer releases make one only from a tensor in host memory
    values, scales, _ = bnb.functional.int8_vectorwise_quant(weight.half())
    return values, scales


QUANTISERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "bf16": lambda weight: weight,
    "nf4": _four_bit(double=True),
    "nf4-single": _four_bit(double=False),
    "int8": _eight_bit,
}


def measure_kv(model: Architecture | None) -> dict[str, Any]:
    """The KV cache of `KV_TOKENS` tokens, allocated as TGI's flashinfer layout does (block size 1)."""
    assert model is not None
    _reset()
    before = _requested()
    shape = (KV_TOKENS, 1, model.num_key_value_heads, model.head_dim)
    held = [
        torch.empty(shape, dtype=torch.bfloat16, device="cuda")
        for _ in range(2 * model.num_hidden_layers)  # keys and values
    ]
    measured = (_requested() - before) / KV_TOKENS
    del held
    planned = kv_bytes_per_token(model)
    return {
        "tokens": KV_TOKENS,
        "measured_per_token": measured,
        "planned_per_token": planned,
        "difference_percent": _difference(planned, measured),
    }


def measure_prefill(model: Architecture | None, tokens: int = 8192) -> dict[str, Any]:
    """Peak of one layer's MLP over ``tokens`` rows, as TGI computes it: the planner's activations."""
    assert model is not None
    _reset()
    matrices = {matrix.name: matrix for matrix in linear_matrices(model)}
    gate_up, down = (QUANTISERS["nf4"](_matrix(matrices[name])) for name in ("gate_up_proj", "down_proj"))
    hidden = torch.randn(tokens, model.hidden_size, dtype=torch.bfloat16, device="cuda")
    residual = hidden.clone()
    held = torch.cuda.memory_allocated() - hidden.nbytes - residual.nbytes
    torch.cuda.reset_peak_memory_stats()
    with torch.inference_mode():
        states = bnb.matmul_4bit(hidden, gate_up.t(), quant_state=gate_up.quant_state)
        states = states.view(-1, 2, model.intermediate_size)
        product = torch.nn.functional.silu(states[:, 0]) * states[:, 1]
        bnb.matmul_4bit(product, down.t(), quant_state=down.quant_state)
    measured = torch.cuda.max_memory_allocated() - held
    planned = planned_memory.activations(model, tokens, "nf4")
    return {
        "tokens": tokens,
        "measured": measured,
        "planned": planned,
        "difference_percent": _difference(planned, measured),
    }


def measure_context() -> dict[str, Any]:
    """What the process holds beside PyTorch's allocations, after one kernel of each kind has run."""
    weight = _matrix(Matrix("warm-up", 1024, 1024))
    quantised = QUANTISERS["nf4"](weight)
    for rows in (1, 16, 512):
        states = torch.randn(rows, 1024, dtype=torch.bfloat16, device="cuda")
        bnb.matmul_4bit(states, quantised.t(), quant_state=quantised.quant_state)
        states @ weight.t()
    torch.cuda.synchronize()
    used = _used_by_this_process()
    measured = None if used is None else used - torch.cuda.memory_reserved()
    return {"measured": measured, "planned": planned_memory.CUDA_CONTEXT}


def totals(cuda_total: int) -> dict[str, int]:
    """How much less than the driver's total CUDA reports: the reserve of cards.py."""
    pynvml.nvmlInit()
    info = pynvml.nvmlDeviceGetMemoryInfo(_handle(), version=pynvml.nvmlMemory_v2)
    return {"driver": info.total, "driver_reserved": info.reserved, "cuda": cuda_total}


def _used_by_this_process() -> int | None:
    """By NVML; where it does not list the process (some virtual machines), what the whole card has in use."""
    pynvml.nvmlInit()
    for process in pynvml.nvmlDeviceGetComputeRunningProcesses(_handle()):
        if process.pid == os.getpid() and process.usedGpuMemory:
            return int(process.usedGpuMemory)
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def _handle() -> Any:
    return pynvml.nvmlDeviceGetHandleByIndex(torch.cuda.current_device())


def _driver() -> str:
    pynvml.nvmlInit()
    return str(pynvml.nvmlSystemGetDriverVersion())


def _requested() -> int:
    """Bytes asked of the allocator; `memory_allocated` adds up to 1 MiB for a block that was not split."""
    return int(torch.cuda.memory_stats()["requested_bytes.all.current"])


def _reset() -> None:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def _difference(planned: float, measured: float) -> float:
    return round(100 * (planned - measured) / measured, 3)


if __name__ == "__main__":
    sys.exit(main())
