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
from model_files.safetensors_header import SafetensorsError, Tensor, check_file


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
    architecture = from_config(read_config(folder), str(folder / "config.json"))
    tensors = [
        tensor for file in sorted(folder.glob("*.safetensors")) for tensor in read_header(file).values()
    ]
    if not tensors:
        return ModelFolder(architecture, None, None)
    elements = sum(math.prod(tensor.shape) for tensor in tensors)
    stored = sum(tensor.end - tensor.start for tensor in tensors)
    _require_agreement(folder, architecture, elements, stored)
    return ModelFolder(architecture, elements, stored)


def read_config(folder: Path) -> dict[str, Any]:
    """What its config.json says. Raises BadSetting."""
    config = folder / "config.json"
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unusable(config, "a model's config.json", str(error)) from None
    if not isinstance(content, dict):
        raise _unusable(config, "a JSON object", type(content).__name__)
    return content


def read_header(file: Path) -> dict[str, Tensor]:
    """A safetensors file's tensors by name."""
    try:
        return check_file(file)
    except (OSError, SafetensorsError) as error:
        raise _unusable(file, "a whole safetensors file", str(error)) from None


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
