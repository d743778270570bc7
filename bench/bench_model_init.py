"""How fast is model-init? Download and full check against curl, huggingface_hub and sha256sum, on this
machine.

    PYTHONPATH=.:tests:services/model-init python bench/bench_model_init.py --megabytes 1024 --repeat 5

Peers take turns, so that what else the machine does hits all alike; medians are compared. Every figure is
the wall time of a whole process. model-init's includes hashing every byte, structure checks, fsync and
publishing; the peers' do not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.fast_hub import fast_hub
from model_init.sources.throttle import Throttle

REPO = Path(__file__).parents[1]
SMALL = {
    "config.json": {"model_type": "bench"},
    "tokenizer.json": {"model": {}},
    "tokenizer_config.json": {"chat_template": "{{ messages[0].content }}"},
}
SNAPSHOT = (
    "import sys; from huggingface_hub import snapshot_download; "
    "snapshot_download('bench/model', local_dir=sys.argv[1], endpoint=sys.argv[2], token=False)"
)


def make_model(folder: Path, megabytes: int, shards: int) -> list[str]:
    """A model of so many megabytes in valid safetensors shards. Returns its file names."""
    folder.mkdir()
    for name, content in SMALL.items():
        (folder / name).write_text(json.dumps(content))
    homes, noise = {}, os.urandom(1_000_000)
    count = megabytes // shards
    for number in range(1, shards + 1):
        tensor, size = f"w{number}", count * len(noise)
        name = f"model-{number:05d}-of-{shards:05d}.safetensors"
        header = json.dumps({tensor: {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
        header += b" " * (-len(header) % 8)
        with (folder / name).open("wb") as stream:
            stream.write(len(header).to_bytes(8, "little") + header)
            for block in range(count):
                stream.write(block.to_bytes(8, "little") + noise[8:])
        homes[tensor] = name
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))
    return sorted(path.name for path in folder.iterdir())


def run(command: list[str], **environ: str) -> tuple[float, float]:
    """Wall seconds and peak resident megabytes of one process."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])} … ended with {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / 1000


class Bench:
    """The commands that are compared, over one hub and one scratch folder."""

    def __init__(self, endpoint: str, names: list[str], source: Path, scratch: Path) -> None:
        self._endpoint, self._names, self._source, self._scratch = endpoint, names, source, scratch

    def fresh(self, name: str) -> Path:
        """An empty folder."""
        folder = self._scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def model_init(self, *flags: str, volume: Path | None = None) -> tuple[float, float]:
        return run(
            [sys.executable, "-m", "model_init", *flags],
            PYTHONPATH=str(REPO / "services" / "model-init"),
            MODELS_DIR=str(volume or self.fresh("model-init")),
            MODEL_ID="bench/model",
            MODEL_SOURCE="hub",
            MODEL_SOURCES="hub",
            HF_ENDPOINT=self._endpoint,
        )

    def curl(self, *flags: str) -> tuple[float, float]:
        folder = self.fresh("curl")
        urls = [f"{self._endpoint}/bench/model/resolve/main/{name}" for name in self._names]
        outputs = [part for url in urls for part in ("-O", url)]
        return run(["curl", "-sSf", "--output-dir", str(folder), *flags, *outputs])

    def curl_parallel(self) -> tuple[float, float]:
        return self.curl("-Z", "--parallel-max", "4")

    def curl_fsync(self) -> tuple[float, float]:
        """curl, and then what model-init does too: wait until the bytes are on the disk."""
        seconds, rss = self.curl()
        started = time.monotonic()
        run(["sync", *(str(self._scratch / "curl" / name) for name in self._names)])
        return seconds + time.monotonic() - started, rss

    def snapshot_download(self) -> tuple[float, float]:
        folder = str(self.fresh("snapshot"))
        return run(
            [sys.executable, "-c", SNAPSHOT, folder, self._endpoint],
            HF_HUB_DISABLE_XET="1",
            HF_HUB_DISABLE_PROGRESS_BARS="1",
            HF_HUB_DISABLE_TELEMETRY="1",
        )

    def sha256sum(self) -> tuple[float, float]:
        return run(["sha256sum", *(str(self._source / name) for name in self._names)])

    def openssl(self) -> tuple[float, float]:
        files = (str(self._source / name) for name in self._names)
        return run(["openssl", "dgst", "-sha256", *files])

    def full_verify(self) -> tuple[float, float]:
        return self.model_init("verify", volume=self._scratch / "model-init")


def measure(peers: dict[str, Callable[[], tuple[float, float]]], repeat: int) -> dict[str, dict[str, float]]:
    """Medians of every peer, which take turns; one round before is thrown away."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for turn in range(repeat + 1):
        for name, peer in peers.items():
            result = peer()
            if turn:
                taken[name].append(result)
    return {
        name: {
            "seconds": round(statistics.median(seconds for seconds, _ in results), 3),
            "rss_mb": round(max(rss for _, rss in results), 1),
        }
        for name, results in taken.items()
    }


def compare(bench: Bench, repeat: int, megabytes: int) -> dict[str, object]:
    """All figures and the ratios that docs/performance.md speaks of."""
    peers = {
        "model_init": bench.model_init,
        "curl": bench.curl,
        "curl_parallel": bench.curl_parallel,
        "curl_fsync": bench.curl_fsync,
        "snapshot_download": bench.snapshot_download,
    }
    download = measure(peers, repeat)
    hashers = {"full_verify": bench.full_verify, "sha256sum": bench.sha256sum, "openssl": bench.openssl}
    checks = measure(hashers, repeat)
    cores = os.cpu_count() or 1
    ours = download["model_init"]["seconds"]
    best = min(download["curl"]["seconds"], download["snapshot_download"]["seconds"])
    hashing = checks["sha256sum"]["seconds"]
    return {
        "megabytes": megabytes,
        "cores": cores,
        "download": download,
        "full_check": checks,
        "ratios": {
            "download_vs_faster_peer": round(best / ours, 3),
            "download_vs_curl": round(download["curl"]["seconds"] / ours, 3),
            "download_vs_curl_parallel": round(download["curl_parallel"]["seconds"] / ours, 3),
            "download_vs_curl_then_fsync": round(download["curl_fsync"]["seconds"] / ours, 3),
            "download_vs_snapshot_download": round(download["snapshot_download"]["seconds"] / ours, 3),
            "download_vs_curl_then_sha256sum": round((download["curl"]["seconds"] + hashing) / ours, 3),
            "verify_vs_cores_x_sha256sum": round(hashing / checks["full_verify"]["seconds"] / cores, 3),
            "verify_vs_cores_x_openssl": round(
                checks["openssl"]["seconds"] / checks["full_verify"]["seconds"] / cores, 3
            ),
        },
        "peak_rss_mb": max(download["model_init"]["rss_mb"], checks["full_verify"]["rss_mb"]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--link", type=float, help="megabytes per second that all connections share (default: none)"
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's temporary folder)")
    parser.add_argument("--json", action="store_true", help="all figures as one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        source = Path(scratch) / "source"
        names = make_model(source, options.megabytes, options.shards)
        with fast_hub(source, Throttle(options.link and options.link * 1e6)) as endpoint:
            result = compare(Bench(endpoint, names, source, Path(scratch)), options.repeat, options.megabytes)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for group in ("download", "full_check"):
        for name, figures in result[group].items():  # type: ignore[attr-defined]
            print(
                f"{name:20} {figures['seconds']:8.2f} s {options.megabytes / figures['seconds']:8.0f} MB/s "
                f"{figures['rss_mb']:7.0f} MB peak"
            )
    for name, ratio in result["ratios"].items():  # type: ignore[attr-defined]
        print(f"{name:34} {ratio:.2f}")


if __name__ == "__main__":
    main()
