"""Do a model's shards and their index agree? One file's rules are `model_files.safetensors_header`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_files.safetensors_header import SafetensorsError, Tensor, parse_object


def check_shards(shards: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Several files without an index must not hold a name twice."""
    home: dict[str, str] = {}
    for file, tensors in shards.items():
        for name in tensors:
            if name in home:
                raise SafetensorsError(
                    f"expected each tensor once, found {name!r} in {home[name]} and {file}"
                )
            home[name] = file


def check_index(index: bytes, shards: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Index and shards must agree both ways: each tensor in the shard that the index names, none besides.

    Args:
        index: the index file's bytes.
        shards: tensors by file name, as `check_file` gives them.
    """
    parsed = parse_object(index)
    weight_map = _weight_map(parsed)
    for name, file in weight_map.items():
        if file not in shards:
            raise SafetensorsError(f"the index expects {name!r} in {file!r}, found no such file")
        if name not in shards[file]:
            raise SafetensorsError(f"the index expects {name!r} in {file}, found it missing there")
    for file, tensors in shards.items():
        for name in tensors:
            if weight_map.get(name) != file:
                expected = weight_map.get(name, "nowhere")
                raise SafetensorsError(f"the index expects {name!r} in {expected}, found it in {file}")
    _check_total_size(parsed, shards)


def _check_total_size(parsed: Mapping[str, Any], shards: Mapping[str, Mapping[str, Tensor]]) -> None:
    """The index may state the bytes of all tensors together; then it must be right."""
    metadata = parsed.get("metadata")
    stated = metadata.get("total_size") if isinstance(metadata, dict) else None
    found = sum(tensor.end - tensor.start for tensors in shards.values() for tensor in tensors.values())
    if stated is not None and stated != found:
        raise SafetensorsError(f"the index expects {stated} bytes of tensors, found {found}")


def _weight_map(parsed: Mapping[str, Any]) -> dict[str, str]:
    weight_map = parsed.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SafetensorsError("expected an index with a weight_map, found none")
    for name, file in weight_map.items():
        if not isinstance(file, str):
            raise SafetensorsError(f"the index expects a file name for {name!r}, found {file!r}")
    return weight_map
