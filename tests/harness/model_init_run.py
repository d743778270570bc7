"""model-init as Compose starts it, a process with an environment, and a small real model for it to bring."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

SERVICE = Path(__file__).parents[2] / "services" / "model-init"
# A prelude: the disk has room for 1.5 MB, then it is full.
FILLING_DISK = """
import errno, os
real, room = os.pwrite, [1_500_000]
def write(handle, data, at):
    if handle > 2 and len(data) > room[0]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if handle > 2:
        room[0] -= len(data)
    return real(handle, data, at)
os.pwrite = write
"""
# A prelude. An audit hook can't be removed or got around by Python code: the first socket ends the process.
NO_SOCKETS = """
import os, sys
def hook(event, arguments):
    if event.startswith("socket."):
        print("a socket was touched:", event, flush=True)
        os._exit(99)
sys.addaudithook(hook)
"""
MODEL_ID = "acme/tiny-chat"
SHARD_1, SHARD_2 = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"


@dataclass(frozen=True)
class Result:
    """How a run of model-init ended: exit code, what it printed, and what it left in the volume."""

    code: int
    out: str
    log: str
    status: dict[str, Any]
    manifest: dict[str, Any] | None


class ModelInit:
    """Starts `python -m model_init` on one models volume; keyword arguments are environment variables."""

    def __init__(self, volume: Path, **environ: str) -> None:
        self.volume = volume
        self.folder = volume / MODEL_ID
        self.quarantine = self.folder / ".quarantine"
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SERVICE),
            "MODELS_DIR": str(volume),
            "MODEL_ID": MODEL_ID,
            "MODEL_SOURCE": "hub",
            "MODEL_SOURCES": "hub",
            "PARALLEL_FILES": "1",
            "MODEL_RETRIES": "2",
            "MODEL_RETRY_WAIT": "0",
            "FAST_NF4": "0",
            "NO_PROXY": "*",
            **environ,
        }

    def start(self, *flags: str, prelude: str = "", **environ: str) -> subprocess.Popen[str]:
        """Begin a run. `prelude` is Python that runs first in the same process, to break something in it."""
        return subprocess.Popen(
            self.command(*flags, prelude=prelude),
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *flags: str, prelude: str = "") -> list[str]:
        """The command of `start`, to be run with `environ`."""
        script = f"{prelude}\nimport runpy; runpy.run_module('model_init', run_name='__main__')"
        entry = ["-c", script] if prelude else ["-m", "model_init"]
        return [sys.executable, *entry, *flags]

    def finish(self, process: subprocess.Popen[str]) -> Result:
        """Wait for its end and collect what it left."""
        out, log = process.communicate(timeout=300)
        manifest = self.folder / "manifest.json"
        return Result(
            code=process.returncode,
            out=out,
            log=log,
            status=self.read_status(),
            manifest=json.loads(manifest.read_text()) if manifest.exists() else None,
        )

    def run(self, *flags: str, prelude: str = "", **environ: str) -> Result:
        """One run from start to end."""
        return self.finish(self.start(*flags, prelude=prelude, **environ))

    def read_status(self) -> dict[str, Any]:
        """status.json as it is now; empty before there is one."""
        status = self.volume / "status.json"
        return json.loads(status.read_text()) if status.exists() else {}

    def weights(self) -> list[str]:
        """Files that an engine would open, by name."""
        return sorted(p.name for p in self.folder.glob("*") if p.suffix in (".safetensors", ".gguf"))

    def partials(self) -> list[Path]:
        """Unfinished downloads."""
        return sorted(self.folder.glob("*.partial"))

    def partial_size(self, name: str) -> int:
        """Bytes that an unfinished download of this file has on disk."""
        return sum(path.stat().st_size for path in self.folder.glob(f"{name}.*.partial"))


def tensors(seed: int, *names: str) -> bytes:
    """A safetensors file of about 1 MB, as the real library writes it."""
    numbers = np.random.default_rng(seed)
    return save({name: numbers.random((512, 256), dtype=np.float32) for name in names}, {"format": "pt"})


def gguf(*names: str, tail: bytes = b"", numbers: dict[str, int] | None = None) -> bytes:
    """A GGUF file with one F32 tensor of 64 numbers for each name, and `numbers` among its metadata."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(names), 1 + len(numbers or {}))
    key, value = b"general.architecture", b"llama"
    head += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(value)) + value
    for name, number in (numbers or {}).items():
        head += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<IH", 2, number)
    for number, name in enumerate(names):
        head += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<IQIQ", 1, 64, 0, 256 * number)
    return head + bytes(-len(head) % 32) + bytes(256 * len(names)) + tail


def tiny_model() -> dict[str, bytes]:
    """A sharded model with everything that belongs to one, and some that does not."""
    homes = {"a.weight": SHARD_1, "b.weight": SHARD_1, "c.weight": SHARD_2, "d.weight": SHARD_2}
    index = {"metadata": {"total_size": 4 * 512 * 256 * 4}, "weight_map": homes}
    return {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "README.md": b"# tiny\n",
        "config.json": b'{"model_type": "qwen2"}\n',
        "generation_config.json": b'{"eos_token_id": [1, 2]}\n',
        "merges.txt": b"a b\n",
        SHARD_1: tensors(1, "a.weight", "b.weight"),
        SHARD_2: tensors(2, "c.weight", "d.weight"),
        "model.safetensors.index.json": json.dumps(index).encode(),
        "pytorch_model.bin": b"pickle, never to be fetched",
        "tokenizer.json": b'{"model": {"type": "BPE"}}\n',
        "tokenizer_config.json": json.dumps({"chat_template": TEMPLATE}).encode(),
        "vocab.json": b'{"a": 0}\n',
    }


WANTED = sorted(set(tiny_model()) - {".gitattributes", "README.md", "pytorch_model.bin"})
