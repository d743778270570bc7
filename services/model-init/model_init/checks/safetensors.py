"""Do a model's shards and their index agree? One file's rules are `model_files.safetensors_header`'s."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from model_files.safetensors_header import SafetensorsError, Tensor, parse_object

from ..selection import INDEX_NAME


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


def check_index_names(index: bytes, files: Collection[str]) -> None:
    """Every file that the index names must be one of these: what can be said before any shard is there."""
    for name, file in _weight_map(parse_object(index)).items():
        if file not in files:
            raise SafetensorsError(f"the index expects {name!r} in {file!r}, found no such file")


def check_index(index: bytes, shards: Mapping[str, Mapping[str, Tensor]]) -> list[str]:
    """Each tensor must be in the shard that the index names.

    Args:
        index: the index file's bytes.
        shards: tensors by file name, as `check_file` gives them.

    Returns:
        A note on tensors that the index lacks: engines find them by the shards' own headers.
    """
    parsed = parse_object(index)
    weight_map = _weight_map(parsed)
    check_shards(shards)
    for name, file in weight_map.items():
        if file not in shards:
            raise SafetensorsError(f"the index expects {name!r} in {file!r}, found no such file")
        if name not in shards[file]:
            raise SafetensorsError(f"the index expects {name!r} in {file}, found it missing there")
    more = {
        name: tensor for file in shards.values() for name, tensor in file.items() if name not in weight_map
    }
    _check_total_size(parsed, shards, more)
    if not more:
        return []
    named = next(iter(more))
    others = f" and {len(more) - 1} more" if len(more) > 1 else ""
    return [
        f"{INDEX_NAME} lacks {named!r}{others}, which the shards have: engines load the shards all the same"
    ]


def _check_total_size(
    parsed: Mapping[str, Any], shards: Mapping[str, Mapping[str, Tensor]], more: Mapping[str, Tensor]
) -> None:
    """The index may state the bytes of all tensors, or of those that it has; then it must be right."""
    metadata = parsed.get("metadata")
    stated = metadata.get("total_size") if isinstance(metadata, dict) else None
    found = sum(tensor.end - tensor.start for tensors in shards.values() for tensor in tensors.values())
    unlisted = sum(tensor.end - tensor.start for tensor in more.values())
    if stated not in (None, found, found - unlisted):
        raise SafetensorsError(f"the index expects {stated} bytes of tensors, found {found}")


def _weight_map(parsed: Mapping[str, Any]) -> dict[str, str]:
    weight_map = parsed.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SafetensorsError("expected an index with a weight_map, found none")
    for name, file in weight_map.items():
        if not isinstance(file, str):
            raise SafetensorsError(f"the index expects a file name for {name!r}, found {file!r}")
    return weight_map
