"""Can an engine load these files? Applies the format checks to a whole model before it is published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from model_files.safetensors_header import SafetensorsError, Tensor, check_file

from ..errors import InvalidModel
from ..selection import INDEX_NAME
from . import gguf, safetensors
from .chat_template import TemplateError, check_template, find_template
from .config import ConfigError, check_config

_REASONS = (SafetensorsError, gguf.GgufError, ConfigError, TemplateError, ValueError)


def check_model(files: Mapping[str, Path]) -> list[str]:
    """Check all files of a model: weights, their index, configuration, tokenizer, chat template.

    Args:
        files: where the bytes lie now, by the name that they will be published under.

    Returns:
        Notes on what could not be checked.

    Raises:
        InvalidModel: the first thing that no engine could load, naming the file.
    """
    shards: dict[str, dict[str, Tensor]] = {}
    for name, path in files.items():
        try:
            if name.endswith(".safetensors"):
                shards[name] = check_file(path)
            elif name.endswith(".gguf"):
                _check_gguf(path)
            elif name.endswith(".json"):
                _check_json(name, path)
        except _REASONS as error:
            raise _invalid(name, error) from error
    return _check_whole(files, shards) if shards else []


def _check_whole(files: Mapping[str, Path], shards: Mapping[str, Mapping[str, Tensor]]) -> list[str]:
    """What shards, index, configuration and template say of each other."""
    try:
        at_fault = INDEX_NAME if INDEX_NAME in files else "weights"
        if INDEX_NAME in files and len(shards) > 1:
            safetensors.check_index(files[INDEX_NAME].read_bytes(), shards)
        else:
            safetensors.check_shards(shards)
        tensors = {name: tensor for shard in shards.values() for name, tensor in shard.items()}
        at_fault = "config.json"
        notes = check_config(json.loads(files["config.json"].read_bytes()), tensors)
        at_fault = "chat template"
        template = find_template(lambda name: files[name].read_bytes(), files)
        check_template(template, _special_tokens(files))
    except _REASONS as error:
        raise _invalid(at_fault, error) from error
    return notes


def _special_tokens(files: Mapping[str, Path]) -> dict[str, object]:
    name = "tokenizer_config.json"
    return dict(json.loads(files[name].read_bytes())) if name in files else {}


def _check_json(name: str, path: Path) -> None:
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, found {type(content).__name__}")
    if name == "tokenizer.json" and not isinstance(content.get("model"), dict):
        raise ValueError("expected a tokenizer with a model, found none")


def _check_gguf(path: Path) -> None:
    template = gguf.check_file(path).get("tokenizer.chat_template")
    if isinstance(template, str):
        check_template(template, {})


def _invalid(name: str, error: Exception) -> InvalidModel:
    return InvalidModel(
        f"invalid model: {name}: {error}; these are the bytes that the source has, so fetching again "
        "does not help: use another MODEL_REVISION or MODEL_ID"
    )
