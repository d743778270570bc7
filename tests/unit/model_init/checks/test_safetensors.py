"""Shards and index: each disagreement is refused."""

from __future__ import annotations

import json

import pytest

from model_files.safetensors_header import SafetensorsError, Tensor
from model_init.checks.safetensors import check_index, check_shards


def shards(**files: str) -> dict[str, dict[str, Tensor]]:
    """Shards by file name, each with the tensors named in its value."""
    tensor = Tensor("F32", (2,), 0, 8)
    return {f"{name}.safetensors": dict.fromkeys(tensors.split(), tensor) for name, tensors in files.items()}


def index(**homes: str) -> bytes:
    """An index file that names each tensor's shard."""
    return json.dumps(
        {"weight_map": {name: f"{shard}.safetensors" for name, shard in homes.items()}}
    ).encode()


def test_an_index_that_agrees_is_accepted() -> None:
    check_index(index(a="one", b="one", c="two"), shards(one="a b", two="c"))


@pytest.mark.parametrize(
    ("content", "files", "reason"),
    [
        (index(a="one", b="two"), shards(one="a"), "expects 'b' in 'two.safetensors', found no such file"),
        (index(a="one", b="one"), shards(one="a"), "expects 'b' in one.safetensors, found it missing there"),
        (
            index(a="one", b="two"),
            shards(one="a b", two="b"),
            "expected each tensor once, found 'b' in one.safetensors and two.safetensors",
        ),
        (b"{}", shards(one="a"), "expected an index with a weight_map"),
        (b'{"weight_map": {"a": 1}}', shards(one="a"), "expects a file name for 'a', found 1"),
        (b'{"weight_map": {"a": "x", "a": "y"}}', shards(one="a"), "expected unique names, found 'a' twice"),
        (b"not json", shards(one="a"), "expected JSON"),
    ],
)
def test_each_disagreement_of_index_and_shards_is_refused(
    content: bytes, files: dict[str, dict[str, Tensor]], reason: str
) -> None:
    with pytest.raises(SafetensorsError, match=reason):
        check_index(content, files)


def test_a_name_in_two_files_without_index_is_refused() -> None:
    check_shards(shards(one="a", two="b"))
    with pytest.raises(SafetensorsError, match=r"found 'a' in one.safetensors and two.safetensors"):
        check_shards(shards(one="a", two="a"))


@pytest.mark.parametrize(
    ("files", "named"),
    [(shards(one="a b"), "'b'"), (shards(one="a", two="b c"), "'b' and 1 more")],
)
def test_a_tensor_that_the_index_lacks_is_a_note(files: dict[str, dict[str, Tensor]], named: str) -> None:
    assert check_index(index(a="one"), files) == [
        f"model.safetensors.index.json lacks {named}, which the shards have: engines load the shards all "
        "the same"
    ]


def test_the_index_may_count_only_the_bytes_of_its_own_tensors() -> None:
    counted = json.dumps({"metadata": {"total_size": 4}, "weight_map": {"a": "one.safetensors"}}).encode()
    files = {"one.safetensors": {"a": Tensor("F32", (1,), 0, 4), "b": Tensor("F32", (2,), 4, 12)}}
    assert check_index(counted, files)
    with pytest.raises(SafetensorsError, match="the index expects 5 bytes of tensors, found 12"):
        check_index(counted.replace(b": 4}", b": 5}"), files)
