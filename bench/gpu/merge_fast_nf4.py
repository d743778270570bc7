"""Makes the Markdown table of two runs of fast_nf4.py: the older bitsandbytes, then the newer.

python bench/gpu/merge_fast_nf4.py 0.45.2.json 0.50.2.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def table(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Rows against ms a step, eager and under a CUDA graph, and how many times faster the newer one is."""
    before, after = old["bitsandbytes"], new["bitsandbytes"]
    wrong = f"{old['largest_error']:.1e} ({before}), {new['largest_error']:.1e} ({after})"
    paths = (f"{before}, eager", f"{before}, graph", f"{after}, eager", f"{after}, graph", "bf16, graph")
    lines = [
        f"{new['gpu']}, {new['layers']} layers' projections of Qwen2.5-7B, ms a step.",
        f"Largest relative error to float64: {wrong}.",
        "",
        f"| rows | {' | '.join(paths)} | gain, graph |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for rows in old["ms_per_step_eager"]:
        eager, graph = old["ms_per_step_eager"][rows], old["ms_per_step_cuda_graph"][rows]
        new_eager, new_graph = new["ms_per_step_eager"][rows], new["ms_per_step_cuda_graph"][rows]
        bf16 = new["ms_per_step_bf16_cuda_graph"][rows]
        lines.append(
            f"| {rows} | {eager:.1f} | {graph:.1f} | {new_eager:.1f} | {new_graph:.1f} | {bf16:.1f} "
            f"| {graph / new_graph:.2f}× |"
        )
    return "\n".join(lines)


def main() -> int:
    """Print the table of the two files named on the command line."""
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    old, new = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:])
    print(table(old, new))
    return 0


if __name__ == "__main__":
    sys.exit(main())
