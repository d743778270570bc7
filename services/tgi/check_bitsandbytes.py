"""Run while the image is built: is the pinned bitsandbytes there, with a library for this image's CUDA?

No GPU is needed: the library is loaded, its kernels are not run.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import inspect
import sys
from pathlib import Path

import bitsandbytes  # brings PyTorch, and with it the CUDA libraries that its own links to
import torch

EXPECTED_PARAMETERS = ["A", "B", "quant_state", "out", "bias"]
LOCK = Path(__file__).with_name("requirements.lock")


def main() -> None:
    """Exit with one line that says what was expected and found; print the versions when all is well."""
    pinned = next(line for line in LOCK.read_text().splitlines() if line.startswith("bitsandbytes=="))
    wanted = pinned.removeprefix("bitsandbytes==").split()[0]
    found = importlib.metadata.version("bitsandbytes")
    if found != wanted:
        sys.exit(f"expected bitsandbytes {wanted}, found {found}")
    cuda = torch.version.cuda or ""
    library = Path(bitsandbytes.__file__).with_name(f"libbitsandbytes_cuda{cuda.replace('.', '')}.so")
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        sys.exit(f"expected a library for CUDA {cuda or 'that PyTorch was built for'}, found: {error}")
    parameters = list(inspect.signature(bitsandbytes.matmul_4bit).parameters)
    if parameters != EXPECTED_PARAMETERS:
        sys.exit(f"expected matmul_4bit({', '.join(EXPECTED_PARAMETERS)}), found ({', '.join(parameters)})")
    for name in ("Params4bit", "Int8Params"):  # what TGI's layers/bnb.py imports
        if not hasattr(bitsandbytes.nn, name):
            sys.exit(f"expected bitsandbytes.nn.{name}, found none")
    if not hasattr(bitsandbytes, "MatmulLtState"):
        sys.exit("expected bitsandbytes.MatmulLtState, found none")
    print(f"bitsandbytes {found}, PyTorch {torch.__version__}, {library.name}")


if __name__ == "__main__":
    main()
