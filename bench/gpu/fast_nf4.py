"""Times and checks the one call that TGI makes for nf4, with the bitsandbytes that is installed; prints JSON.

`bitsandbytes.matmul_4bit(x, weight.t(), quant_state=…)` with double-quantised Params4bit in bf16
(text-generation-inference 3.3.7, server/text_generation_server/layers/bnb.py), over Qwen2.5-7B's four
matrices a layer. Run it once with 0.45.2, which TGI 3.3.7 has, and once with the newer release;
merge_fast_nf4.py makes the table of both. Needs torch and a GPU; no network. About a minute.

    python bench/gpu/fast_nf4.py > 0.45.2.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import bitsandbytes as bnb
import torch

LAYERS = 28
MATRICES = {  # out_features, in_features, fused as TGI loads them
    "qkv": (4608, 3584),
    "o": (3584, 3584),
    "gate_up": (37888, 3584),
    "down": (3584, 18944),
}
ROWS = (1, 2, 4, 8, 16, 32, 64)
LARGEST_ERROR = 1e-2  # bf16 operands: relative to float64, ‖out − ref‖ / ‖ref‖
REPEATS = 30

Layer = dict[str, Any]


def main() -> int:
    """Check, then time a decode step through all layers; exits 1 for a wrong result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=LAYERS, help="layers a step runs through")
    options = parser.parse_args()
    torch.manual_seed(0)
    layers = [_layer() for _ in range(options.layers)]
    errors = {name: {rows: error(layers[0][name], rows) for rows in ROWS} for name in MATRICES}
    eager, graph, reference = {}, {}, {}
    for rows in ROWS:
        step = _step(layers, rows)
        eager[rows] = milliseconds(step)
        graph[rows] = milliseconds(captured(step).replay)
        reference[rows] = milliseconds(captured(_bf16_step(options.layers, rows)).replay)
    worst = max(value for row in errors.values() for value in row.values())
    report = {
        "bitsandbytes": bnb.__version__,
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name(0),
        "layers": options.layers,
        "relative_error_to_float64": errors,
        "largest_error": worst,
        "ms_per_step_eager": eager,
        "ms_per_step_cuda_graph": graph,
        "ms_per_step_bf16_cuda_graph": reference,
    }
    print(json.dumps(report, indent=2))
    return 0 if worst < LARGEST_ERROR else 1


def _layer() -> Layer:
    return {name: quantised(out, inner) for name, (out, inner) in MATRICES.items()}


def quantised(out_features: int, in_features: int) -> Any:
    """A random matrix as TGI's Linear4bit holds it."""
    weight = torch.empty(out_features, in_features, dtype=torch.bfloat16, device="cuda").normal_(std=0.02)
    parameter = bnb.nn.Params4bit(weight, requires_grad=False, compress_statistics=True, quant_type="nf4")
    return parameter.cuda(weight.device)


def multiply(states: torch.Tensor, weight: Any) -> torch.Tensor:
    """TGI's call."""
    return bnb.matmul_4bit(states, weight.t(), bias=None, quant_state=weight.quant_state)


def error(weight: Any, rows: int) -> float:
    """Relative error against float64 over the dequantised weights; infinite when the result has a nan."""
    dequantised = bnb.functional.dequantize_4bit(weight.data, weight.quant_state).double()
    out_features, in_features = weight.quant_state.shape
    assert dequantised.shape == (out_features, in_features)
    states = torch.randn(rows, in_features, dtype=torch.bfloat16, device="cuda")
    with torch.inference_mode():
        found = multiply(states, weight)
    expected = states.double() @ dequantised.t()
    relative = ((found.double() - expected).norm() / expected.norm()).item()
    return relative if relative == relative else float("inf")  # a nan is not equal to itself


def _step(layers: list[Layer], rows: int) -> Callable[[], None]:
    """One decode step's projections: every layer's four matrices, each with its own input."""
    inputs = {
        name: torch.randn(rows, inner, dtype=torch.bfloat16, device="cuda")
        for name, (_, inner) in MATRICES.items()
    }

    def run() -> None:
        with torch.inference_mode():
            for layer in layers:
                for name, weight in layer.items():
                    multiply(inputs[name], weight)

    return run


_BF16: list[dict[str, torch.Tensor]] = []


def _bf16_step(count: int, rows: int) -> Callable[[], None]:
    """The same step with unquantised weights: what no quantisation would cost."""
    while len(_BF16) < count:
        _BF16.append(
            {
                name: torch.randn(out, inner, dtype=torch.bfloat16, device="cuda")
                for name, (out, inner) in MATRICES.items()
            }
        )
    inputs = {
        name: torch.randn(rows, inner, dtype=torch.bfloat16, device="cuda")
        for name, (_, inner) in MATRICES.items()
    }

    def run() -> None:
        with torch.inference_mode():
            for layer in _BF16[:count]:
                for name, weight in layer.items():
                    torch.nn.functional.linear(inputs[name], weight)

    return run


def captured(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """The step as a CUDA graph, warmed up on a side stream as PyTorch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


def milliseconds(run: Callable[[], None]) -> float:
    """Median of `REPEATS` runs by device events, after five to warm up."""
    for _ in range(5):
        run()
    times = []
    for _ in range(REPEATS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(float(begin.elapsed_time(end)))
    return round(statistics.median(times), 3)


if __name__ == "__main__":
    sys.exit(main())
