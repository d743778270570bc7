"""The packages of what our services are compared with: brought once, from a lock, into the user's cache.

They are wheels only, so nothing of them runs while they are installed, for the Python of the appliance's
images, in which they run. Knows nothing of what they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_PLATFORMS = (
    "manylinux_2_28",
    "manylinux_2_27",
    "manylinux_2_26",
    "manylinux_2_17",
    "manylinux2014",
    "manylinux_2_5",
)
_FLAGS = (
    "--no-compile",
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    # the lock was made for the image's Python, not for the one that runs pip
    "--ignore-requires-python",
)


def folder(name: str, lock: Path) -> Path:
    """Where the packages of this lock are; it takes them there on first use.

    Raises:
        subprocess.CalledProcessError: when pip cannot bring them.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = cache / "qwen-appliance-bench" / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if found.exists():
        return found
    partial = found.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    platforms = [part for tag in _PLATFORMS for part in ("--platform", f"{tag}_x86_64")]
    target = ["--python-version", "3.13", *platforms, "--target", str(partial)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *_FLAGS, *target, "-r", str(lock)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    partial.rename(found)
    return found
