"""What makes TGI slow without a word, from what runs: its arguments, its libraries, its own figures. Pure.

The numbers were measured on TGI 3.3.7 (docs/performance.md).
"""

from collections.abc import Mapping, Sequence

from appliance_cli.compose.containers import Container, is_engine
from appliance_cli.host.finding import Finding
from appliance_cli.stack.figures import Figures, values

SMOOTH_PREFILL, SHORT_PREFILL = 4096, 2048
LONG_PREFILL_S = 1.0
_ROWS = "tgi_batch_current_size"
OWN_LIBRARY = "/site-packages/bitsandbytes/"
FAST_FOLDER = "/.engine-packages/"


def examine(
    containers: Sequence[Container], libraries: Mapping[str, str], seen: Figures | None
) -> list[Finding]:
    """Every trap that an engine is in. ``libraries``: what each has mapped of bitsandbytes."""
    found = []
    for engine in containers:
        if is_engine(engine.service) and engine.state == "running" and engine.argument("cuda-graphs"):
            found += _kernels(engine, libraries.get(engine.name, ""))
            found += _graphs(engine, seen)
            found += _prefill(engine, seen)
    return found


def _kernels(engine: Container, mapped: str) -> list[Finding]:
    if engine.argument("quantize") != "bitsandbytes-nf4" or not mapped:
        return []
    if FAST_FOLDER in mapped:
        return [Finding("ok", f"{engine.name}: fast 4-bit kernels", check="slow-kernels")]
    return [
        Finding(
            "warn",
            f"{engine.name}: the image's own 4-bit kernels are in use ({mapped.split()[-1]})",
            "bitsandbytes 0.50.2 from the models volume: two at once are three times as fast with it",
            "FAST_NF4=1 in .env (the default), ./scripts/appliance up; ./scripts/appliance logs "
            "model-init says "
            "why it is not there",
            "slow-kernels",
        )
    ]


def _graphs(engine: Container, seen: Figures | None) -> list[Finding]:
    sizes = [int(size) for size in engine.argument("cuda-graphs").split(",") if size.isdigit()]
    largest = max(sizes, default=0)
    at_most = int(engine.argument("max-concurrent-requests") or 128)
    # why: of several engines each has a graph of its own, and whose figures are whose is not known here
    rows = max((int(sum(values(each, _ROWS))) for each in seen.engines.values()), default=0) if seen else 0
    if largest == 0:
        return []  # switched off, as LoRA adapters need it
    if rows <= largest and at_most <= largest:
        return [Finding("ok", f"{engine.name}: CUDA graphs to {largest} answers", check="rows-over-graph")]
    found = f"{rows} answers at once now" if rows > largest else f"up to {at_most} answers at once"
    return [
        Finding(
            "fail" if rows > largest else "warn",
            f"{engine.name}: {found}, the largest CUDA graph has {largest}",
            "never more answers at once than the largest graph: the next one halves everybody's speed",
            f"MAX_CONCURRENT_REQUESTS={largest} in .env, ./scripts/appliance up",
            "rows-over-graph",
        )
    ]


def _prefill(engine: Container, seen: Figures | None) -> list[Finding]:
    budget = int(engine.argument("max-batch-prefill-tokens") or 0)
    slow = _share_of_long_prefills(seen)
    shorter = max(1, min(SHORT_PREFILL, (budget or SMOOTH_PREFILL) // 2))
    remedy = f"MAX_BATCH_PREFILL_TOKENS={shorter} in .env, ./scripts/appliance up"
    if slow:
        found = f"{slow:.0%} of the prefills took more than {LONG_PREFILL_S:.0f} s"
        expected = "less: whoever reads an answer stands still as long"
        return [Finding("warn", f"{engine.name}: {found}", expected, remedy, "prefill-budget")]
    if budget > SMOOTH_PREFILL:
        found = f"{engine.name}: up to {budget} tokens in one prefill"
        expected = f"{SMOOTH_PREFILL} or less: whoever reads an answer stands still as long as one takes"
        remedy = f"MAX_BATCH_PREFILL_TOKENS={SMOOTH_PREFILL} in .env, ./scripts/appliance up"
        return [Finding("warn", found, expected, remedy, "prefill-budget")]
    return [Finding("ok", f"{engine.name}: {budget} tokens in one prefill", check="prefill-budget")]


def _share_of_long_prefills(seen: Figures | None) -> float:
    """The share that took longer than a second, when it is one in a hundred and more; else 0."""
    if seen is None:
        return 0.0
    name = "tgi_batch_inference_duration"
    total = seen.engine(f"{name}_count", method="prefill") or 0.0
    quick = 0.0
    for series in seen.engines.values():
        bounds = [
            (float(labels["le"]), value)
            for found, labels, value in series
            if found == f"{name}_bucket" and labels.get("method") == "prefill"
        ]
        # why: the first bound at or above a second, so that none is called long that may be short
        quick += next((value for bound, value in sorted(bounds) if bound >= LONG_PREFILL_S), 0.0)
    share = (total - quick) / total if total else 0.0
    return share if share >= 0.01 else 0.0
