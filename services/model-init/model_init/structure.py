"""Can an engine load these files? Applies the format checks to a whole model before it is published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from . import gguf_check, safetensors_check
from .errors import InvalidModel
from .plan import INDEX_NAME


def check_model(files: Mapping[str, Path]) -> None:
    """Check all files of a model: weights, their index, and that every .json is JSON.

    Args:
        files: where the bytes lie now, by the name that they will be published under.

    Raises:
        InvalidModel: the first thing that no engine could load, naming the file.
    """
    shards = {}
    for name, path in files.items():
        try:
            if name.endswith(".safetensors"):
                shards[name] = safetensors_check.check_file(path)
            elif name.endswith(".gguf"):
                gguf_check.check_file(path)
            elif name.endswith(".json"):
                json.loads(path.read_bytes())
        except (safetensors_check.SafetensorsError, gguf_check.GgufError, ValueError) as error:
            raise _invalid(name, error) from error
    try:
        if INDEX_NAME in files and len(shards) > 1:
            safetensors_check.check_index(files[INDEX_NAME].read_bytes(), shards)
        else:
            safetensors_check.check_shards(shards)
    except safetensors_check.SafetensorsError as error:
        raise _invalid(INDEX_NAME if INDEX_NAME in files else "weights", error) from error


def _invalid(name: str, error: Exception) -> InvalidModel:
    return InvalidModel(
        f"invalid model: {name}: {error}; these are the bytes that the source has, so fetching again does "
        f"not help: "
        "use another MODEL_REVISION or MODEL_ID"
    )
