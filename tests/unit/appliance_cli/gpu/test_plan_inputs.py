"""What a plan is made from: cards by name, and a model's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.gpu.planning import GIB, cards
from appliance_cli.gpu.planning.model_folder import read_folder, read_header
from harness.planned_models import TINY_CONFIG


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("RTX 4090", "RTX 4090"),
        ("4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("rtx-3090 ti", "RTX 3090 Ti"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "RTX 4070 Ti SUPER"),
        ("NVIDIA RTX A6000", "RTX A6000"),
        ("a6000", "RTX A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("NVIDIA A100-PCIE-40GB", "A100 40GB"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H200", "H200"),
        ("Tesla T4", "T4"),
        ("NVIDIA L40S", "L40S"),
    ],
)
def test_cards_are_found_as_people_and_drivers_spell_them(spelled: str, name: str) -> None:
    assert cards.by_name(spelled).name == name


def test_an_unknown_card_is_planned_by_its_memory() -> None:
    with pytest.raises(BadSetting) as refusal:
        cards.by_name("RTX 7090")
    assert refusal.value.remedy == "give its memory instead: --vram 24 (GiB)"
    assert cards.by_memory(24).total == 24 * GIB
    assert cards.by_memory(24).usable < 24 * GIB
    for gib in (0, -3, 5000, float("nan")):
        with pytest.raises(BadSetting):
            cards.by_memory(gib)


def test_the_reserve_is_no_smaller_than_what_pytorch_leaves_out() -> None:
    """Totals that PyTorch prints in its out-of-memory messages, in GiB."""
    for name, printed in (("RTX 4090", 23.65), ("RTX 3090", 23.69), ("A100 80GB", 79.15), ("H200", 139.72)):
        usable = cards.by_name(name).usable / GIB
        assert printed * 0.985 < usable <= printed


def test_a_laptop_4090_is_no_4090() -> None:
    assert cards.is_rtx_4090("NVIDIA GeForce RTX 4090")
    assert not cards.is_rtx_4090("NVIDIA GeForce RTX 4090 Laptop GPU")


# --- files


def write_shard(path: Path, tensors: dict[str, tuple[int, ...]], item: int = 2) -> None:
    """A safetensors header and, in place of the tensors, a hole of their size."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in tensors.items():
        begin = end
        size = item
        for part in shape:
            size *= part
        end += size
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    encoded = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        file.truncate(8 + len(encoded) + end)


def tiny_folder(folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps(TINY_CONFIG))
    return folder


def test_headers_are_read_and_agree_with_the_config(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    assert read_folder(folder).tensor_bytes is None
    total = read_folder(folder).architecture.parameters
    write_shard(folder / "model-00001.safetensors", {"a": (100, 2)})
    write_shard(folder / "model-00002.safetensors", {"b": (total - 200,)})
    found = read_folder(folder)
    assert (found.elements, found.tensor_bytes) == (total, 2 * total)


@pytest.mark.parametrize("content", [b"", b"12345678", b"\x00" * 9, b"\x05" + b"\x00" * 7 + b"[1,2]"])
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(BadSetting, match=r"model.safetensors cannot be planned with"):
        read_header(file)


def test_files_of_another_model_are_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    write_shard(folder / "model.safetensors", {"a": (3, 3)})
    with pytest.raises(BadSetting) as refusal:
        read_folder(folder)
    assert refusal.value.found == "9 in the safetensors files"


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_folder_without_a_config_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadSetting):
        read_folder(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadSetting):
        read_folder(tmp_path)
