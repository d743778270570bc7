"""A wheel in place of the real one of the fast 4-bit kernels, and what is left of it on the volume.

Owns the wheel and its pin. Asserts nothing.
"""

from __future__ import annotations

import hashlib
import io
import zipfile

from harness.model_init_run import ModelInit
from model_init.kernels.folder import ROOT, SUMS

WHEEL = "bitsandbytes-9.9-py3-none-any.whl"
KEPT = {
    "bitsandbytes/__init__.py": b"__version__ = '9.9'\n",
    "bitsandbytes/libbitsandbytes_cuda126.so": bytes(range(256)) * 2048,
    "bitsandbytes-9.9.dist-info/METADATA": b"Name: bitsandbytes\nVersion: 9.9\n",
}
LEFT_OUT = {"bitsandbytes/libbitsandbytes_cuda118.so": b"for another CUDA", "other/module.py": b"import os\n"}
FOLDER = f"{ROOT}/fast-nf4-1/bitsandbytes-9.9"


def wheel() -> bytes:
    """A wheel with files to keep and files to leave out, some hundred kB."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in (KEPT | LEFT_OUT).items():
            archive.writestr(name, content)
    return data.getvalue()


def pin(data: bytes, **changes: str) -> str:
    """A prelude that pins this wheel in place of the real one."""
    sums = "".join(f"{hashlib.sha256(KEPT[name]).hexdigest()}  {name}\n" for name in sorted(KEPT))
    fields = {
        "package": "bitsandbytes",
        "version": "9.9",
        "file_name": WHEEL,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "kept_suffixes": (".py",),
        "kept_names": frozenset(name for name in KEPT if not name.endswith(".py")),
        "kept_size": sum(map(len, KEPT.values())),
        "manifest_sha256": hashlib.sha256(sums.encode()).hexdigest(),
        **changes,
    }
    return f"from model_init.kernels import pinned\npinned.PINNED = pinned.PinnedWheel(**{fields!r})"


DATA = wheel()
PIN = pin(DATA)


def kept(model_init: ModelInit) -> dict[str, bytes]:
    """What is published, by name in the package's folder."""
    folder = model_init.volume / FOLDER
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def right(model_init: ModelInit) -> bool:
    """Exactly the files to keep, and their list."""
    found = kept(model_init)
    return found.pop(SUMS, b"").count(b"\n") == len(KEPT) and found == KEPT
