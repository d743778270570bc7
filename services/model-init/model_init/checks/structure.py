"""Can an engine load these files? Applies the format checks to a whole model before it is published."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from model_files.safetensors_header import SafetensorsError, Tensor, check_file

from ..errors import InvalidModel
from ..selection import INDEX_NAME, is_weights
from . import gguf, safetensors
from .chat_template import TemplateError, check_template, find_template
from .config import ConfigError, check_config

# what bytes of any kind can raise in the checks
_REASONS = (
    SafetensorsError,
    gguf.GgufError,
    ConfigError,
    TemplateError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def check_companions(files: Mapping[str, Path], names: Collection[str]) -> None:
    """Check what can be checked before any weights are there: JSON, index, tokenizer, chat template.

    Args:
        files: the files beside the weights, as for `check_model`.
        names: all files of the model.

    Raises:
        InvalidModel: the first thing that no engine could load, naming the file.
    """
    for name, path in files.items():
        if name.endswith(".json"):
            with _at_fault(name):
                _check_json(name, path)
    shards = [name for name in names if name.endswith(".safetensors")]
    if INDEX_NAME in files and len(shards) > 1:
        with _at_fault(INDEX_NAME):
            safetensors.check_index_names(files[INDEX_NAME].read_bytes(), shards)
    if shards:
        with _at_fault("chat template"):
            template = find_template(lambda name: files[name].read_bytes(), files)
            check_template(template, _special_tokens(files))


def check_model(files: Mapping[str, Path]) -> list[str]:
    """Check all files of a model: weights, their index, configuration, tokenizer, chat template.

    Args:
        files: where the bytes lie now, by the name that they will be published under.

    Returns:
        Notes on what could not be checked.

    Raises:
        InvalidModel: the first thing that no engine could load, naming the file.
    """
    check_companions({name: path for name, path in files.items() if not is_weights(name)}, files)
    parts = {name: path for name, path in files.items() if name.endswith(".gguf")}
    if parts:
        with _at_fault(next(iter(parts)) if len(parts) == 1 else "GGUF"):
            template = gguf.check_model(parts).get("tokenizer.chat_template")
            if isinstance(template, str):
                check_template(template, {})
    shards: dict[str, dict[str, Tensor]] = {}
    for name, path in files.items():
        if name.endswith(".safetensors"):
            with _at_fault(name):
                shards[name] = check_file(path)
    return _check_shards(files, shards) if shards else []


def _check_shards(files: Mapping[str, Path], shards: Mapping[str, Mapping[str, Tensor]]) -> list[str]:
    """What shards, index and configuration say of each other."""
    notes = []
    if INDEX_NAME in files and len(shards) > 1:
        with _at_fault(INDEX_NAME):
            notes = safetensors.check_index(files[INDEX_NAME].read_bytes(), shards)
    else:
        with _at_fault("weights"):
            safetensors.check_shards(shards)
    tensors = {name: tensor for shard in shards.values() for name, tensor in shard.items()}
    with _at_fault("config.json"):
        notes += check_config(json.loads(files["config.json"].read_bytes()), tensors)
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


@contextmanager
def _at_fault(name: str) -> Iterator[None]:
    """Whatever is wrong is wrong with this."""
    try:
        yield
    except _REASONS as error:
        raise InvalidModel(
            f"invalid model: {name}: {error}; these are the bytes that the source has, so fetching again "
            "does not help: use another MODEL_REVISION or MODEL_ID"
        ) from error
