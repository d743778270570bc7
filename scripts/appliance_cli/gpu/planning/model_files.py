"""A model's folder: its config.json, and its safetensors headers for exact sizes.

Reads headers, never tensors.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance_cli.base.errors import BadSetting
from appliance_cli.gpu.planning.architecture import Architecture, from_config
from appliance_cli.gpu.planning.weights import checkpoint_bytes

_MAX_HEADER = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True)
class ModelFolder:
    """``elements`` and ``tensor_bytes`` count all safetensors files; None where there are none yet."""

    architecture: Architecture
    elements: int | None
    tensor_bytes: int | None


def read_folder(folder: Path) -> ModelFolder:
    """The model in a folder.

    Raises BadSetting when it holds none, or files that contradict its config.json.
    """
    config = folder / "config.json"
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unusable(config, "a model's config.json", str(error)) from None
    if not isinstance(content, dict):
        raise _unusable(config, "a JSON object", type(content).__name__)
    architecture = from_config(content, str(config))
    tensors = [
        tensor for file in sorted(folder.glob("*.safetensors")) for tensor in read_header(file).values()
    ]
    if not tensors:
        return ModelFolder(architecture, None, None)
    elements = sum(math.prod(tensor["shape"]) for tensor in tensors)
    stored = sum(tensor["data_offsets"][1] - tensor["data_offsets"][0] for tensor in tensors)
    _require_agreement(folder, architecture, elements, stored)
    return ModelFolder(architecture, elements, stored)


def read_header(file: Path) -> dict[str, dict[str, Any]]:
    """A safetensors file's tensors by name: dtype, shape, data_offsets. Reads 8 bytes and the header."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= _MAX_HEADER:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(stream.read(length))
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        for entry in tensors.values():
            math.prod(entry["shape"]) + entry["data_offsets"][1] - entry["data_offsets"][0]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _unusable(file, "a whole safetensors file", str(error) or type(error).__name__) from None
    return tensors


def _require_agreement(folder: Path, model: Architecture, elements: int, stored: int) -> None:
    """Unquantised: the very parameters. Quantised: their bytes within 3 percent (formats pad and pack)."""
    if model.quantization is None:
        # why: some tied checkpoints store the head too
        allowed = {model.parameters, model.parameters + model.vocab_size * model.hidden_size}
        if elements in allowed if model.tie_word_embeddings else elements == model.parameters:
            return
        expected, found = (
            f"{model.parameters} parameters by config.json",
            f"{elements} in the safetensors files",
        )
    else:
        estimate = checkpoint_bytes(model)
        if abs(stored - estimate) <= 0.03 * estimate:
            return
        expected, found = f"about {estimate} bytes by config.json", f"{stored} in the safetensors files"
    raise _unusable(folder, expected, found)


def _unusable(path: Path, expected: str, found: str) -> BadSetting:
    remedy = "give a folder that holds one whole model, or a model's id"
    return BadSetting(f"{path} cannot be planned with", expected=expected, found=found, remedy=remedy)
