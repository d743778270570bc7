"""What does model-init make of several slow sources? Beside `hf download` and aria2c from the fastest one.

    PYTHONPATH=.:tests:services/model-init python bench/bench_sources.py --sources 150,300,450 --line 1000

Three hubs on this machine, the first one the slowest, each held to a speed of its own, all together to that
of the line (kB/s). The aim: 0.95 of the sum of the sources' speeds, up to the line's. Every figure is the
wall time of a whole process; model-init's includes asking for the list, checking, fsync and publishing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.bench_model_init import REPO, make_model, run
from bench.fast_hub import fast_hub
from model_init.sources.throttle import Throttle

VARIABLES = ("HF_ENDPOINT", "HF_MIRROR_ENDPOINT", "MODELSCOPE_ENDPOINT")


def model_init(endpoints: list[str], folder: Path) -> float:
    """Seconds with all sources, in their default order."""
    environ = dict(zip(VARIABLES, endpoints, strict=True))
    return run(
        [sys.executable, "-m", "model_init"],
        PYTHONPATH=str(REPO / "services" / "model-init"),
        MODELS_DIR=str(folder),
        MODEL_ID="bench/model",
        MODEL_SOURCE="hub",
        **environ,
    )[0]


def hf_download(endpoint: str, folder: Path) -> float:
    """Seconds with huggingface_hub's own command."""
    hf = [sys.executable, "-m", "huggingface_hub.cli.hf"]
    command = [*hf, "download", "bench/model", "--local-dir", str(folder)]
    return run(command, HF_ENDPOINT=endpoint, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1")[0]


def aria2c(endpoint: str, names: list[str], folder: Path) -> float:
    """Seconds with four files at a time and four connections for each."""
    urls = folder / "urls"
    urls.write_text("".join(f"{endpoint}/bench/model/resolve/main/{name}\n" for name in names))
    command = ["aria2c", "-q", "-i", str(urls), "-d", str(folder), "-j4", "-x4", "-s4", "-k1M"]
    return run([*command, "--file-allocation=none"])[0]


def measure(speeds: list[float], line: float, megabytes: int, scratch: Path) -> dict[str, object]:
    """One round of all."""
    source = scratch / "source"
    names = make_model(source, megabytes, 4)
    shared = Throttle(line * 1e3)
    with ExitStack() as stack:
        endpoints = [stack.enter_context(fast_hub(source, Throttle(speed * 1e3), shared)) for speed in speeds]
        fastest = endpoints[speeds.index(max(speeds))]
        peers: dict[str, Callable[[Path], float]] = {
            "model_init": lambda folder: model_init(endpoints, folder),
            "hf_download": lambda folder: hf_download(fastest, folder),
        }
        if shutil.which("aria2c"):
            peers["aria2c"] = lambda folder: aria2c(fastest, names, folder)
        seconds = {}
        for name, peer in peers.items():
            folder = scratch / name
            folder.mkdir()
            seconds[name] = round(peer(folder), 1)
            shutil.rmtree(folder)
    size = sum((source / name).stat().st_size for name in names)
    ideal = size / 1e3 / min(sum(speeds), line)
    return {
        "sources_kb_per_s": speeds,
        "line_kb_per_s": line,
        "megabytes": round(size / 1e6, 1),
        "seconds": seconds,
        "ideal_seconds": round(ideal, 1),
        "model_init_of_ideal": round(ideal / seconds["model_init"], 3),
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", default="150,300,450", help="kB/s of each of the three")
    parser.add_argument("--line", type=float, default=1000, help="kB/s of all together")
    parser.add_argument("--megabytes", type=int, default=60)
    options = parser.parse_args()
    speeds = [float(speed) for speed in options.sources.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(speeds, options.line, options.megabytes, Path(scratch)), indent=1))


if __name__ == "__main__":
    main()
