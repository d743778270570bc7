"""Which files of a listing are fetched, and which listings are refused."""

from __future__ import annotations

import pytest

from model_init.errors import InvalidModel, SettingsError
from model_init.selection import is_plain_name, select_files

SMALL = ["config.json", "tokenizer.json"]
QWEN = [
    ".gitattributes",
    "LICENSE",
    "README.md",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model-00001-of-00004.safetensors",
    "model-00002-of-00004.safetensors",
    "model-00003-of-00004.safetensors",
    "model-00004-of-00004.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
]
GGUFS = [
    "README.md",
    "m-q4_k_m.gguf",
    "m-q8_0.gguf",
    "m-fp16-00001-of-00002.gguf",
    "m-fp16-00002-of-00002.gguf",
]


def test_the_default_model_needs_all_but_its_papers() -> None:
    assert sorted(select_files(QWEN, "safetensors", None)[0]) == QWEN[3:]


@pytest.mark.parametrize(
    ("weights", "chosen"),
    [
        (["model.safetensors"], ["model.safetensors"]),
        (["model.safetensors", "consolidated.safetensors"], ["model.safetensors"]),
        (["weights.safetensors"], ["weights.safetensors"]),
        (["model.safetensors", "onnx/model.safetensors"], ["model.safetensors"]),
        (["model.safetensors", "training_args.safetensors"], ["model.safetensors"]),
        (["model.safetensors", "pytorch_model.bin", "x.pt", "x.pth", "x.ckpt"], ["model.safetensors"]),
    ],
)
def test_the_weights_of_other_models(weights: list[str], chosen: list[str]) -> None:
    assert select_files(SMALL + weights, "safetensors", None) == ([*SMALL, *chosen], "")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["model.safetensors", "tokenizer.json"], "expected config.json"),
        (["model.safetensors", "config.json"], "expected a tokenizer"),
        (SMALL, r"expected \*.safetensors among the model's files, found none"),
        ([*SMALL, "pytorch_model.bin"], "found only pickle files, .* never fetched"),
        ([*SMALL, "m.gguf"], "set MODEL_FORMAT=gguf"),
        ([*SMALL, "model-00001-of-00002.safetensors"], "expected 2 shards, found no model-00002-of-00002"),
        ([*SMALL, "my model.safetensors"], "expected plain file names, found 'my model.safetensors'"),
    ],
)
def test_a_listing_that_is_no_model(names: list[str], reason: str) -> None:
    with pytest.raises(InvalidModel, match=reason):
        select_files(names, "safetensors", None)


@pytest.mark.parametrize(
    "name", ["../x.json", "a/../../x", "/etc/passwd", "a//b", "", "a\nb", "a/..", "x\x00y"]
)
def test_one_hostile_name_spoils_the_listing(name: str) -> None:
    for kind in ("safetensors", "gguf"):
        with pytest.raises(InvalidModel, match="not to be trusted"):
            select_files([*QWEN, "m.gguf", name], kind, None)


@pytest.mark.parametrize("name", ["a\u202fb.json", "图\u3000片.png", "a\\b", "\u200bx.txt", "my model.gguf"])
def test_an_odd_name_of_a_file_that_nobody_needs_blocks_nothing(name: str) -> None:
    assert sorted(select_files([*QWEN, name], "safetensors", None)[0]) == QWEN[3:]
    assert select_files(["m.gguf", name], "gguf", None) == (["m.gguf"], "")


PICKED = "picked m-q4_k_m.gguf, the usual one of 3 quantisations; MODEL_GGUF_FILE names another"
PARTS = ["m-fp16-00001-of-00002.gguf", "m-fp16-00002-of-00002.gguf"]


@pytest.mark.parametrize(
    ("names", "wanted", "chosen", "note"),
    [
        (["only-q2.gguf", "README.md"], None, ["only-q2.gguf"], ""),
        (["mmproj-f16.gguf", "only-q2.gguf"], None, ["only-q2.gguf"], ""),
        (GGUFS, None, ["m-q4_k_m.gguf"], PICKED),
        (GGUFS, "m-q8_0.gguf", ["m-q8_0.gguf"], ""),
        (GGUFS, "m-fp16-00001-of-00002.gguf", PARTS, ""),
        (GGUFS, "m-fp16-00002-of-00002.gguf", PARTS, ""),
        (GGUFS, "m-fp16.gguf", PARTS, ""),
        (PARTS[::-1], None, PARTS, ""),
        (
            ["m-q4_k_m-00001-of-00002.gguf", "m-q4_k_m-00002-of-00002.gguf", "m-q5_k_m.gguf", "m-q8_0.gguf"],
            None,
            ["m-q4_k_m-00001-of-00002.gguf", "m-q4_k_m-00002-of-00002.gguf"],
            PICKED,
        ),
        ([*PARTS, "m-fp16.gguf"], "m-fp16.gguf", ["m-fp16.gguf"], ""),
    ],
)
def test_one_quantisation_is_chosen_with_all_of_its_parts(
    names: list[str], wanted: str | None, chosen: list[str], note: str
) -> None:
    assert select_files(names, "gguf", wanted) == (chosen, note)


@pytest.mark.parametrize(
    ("names", "wanted", "reason"),
    [
        (["a-q8.gguf", "a-q6.gguf"], None, "expected one of a-q6.gguf, a-q8.gguf, found nothing set"),
        (GGUFS, "other.gguf", "expected one of .*m-q8_0.gguf, found 'other.gguf'"),
        ([*GGUFS, "mmproj.gguf"], "mmproj.gguf", "found 'mmproj.gguf'"),
    ],
)
def test_a_choice_of_gguf_that_only_a_person_can_make(
    names: list[str], wanted: str | None, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        select_files(names, "gguf", wanted)


def test_a_quantisation_with_a_part_missing() -> None:
    with pytest.raises(
        InvalidModel, match=r"expected m-fp16.gguf in 2 parts, found no m-fp16-00001-of-00002"
    ):
        select_files(PARTS[1:], "gguf", None)


def test_no_gguf_at_all() -> None:
    with pytest.raises(InvalidModel, match="found none"):
        select_files(QWEN, "gguf", None)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("model.safetensors", True),
        ("a_b-c.1.json", True),
        ("", False),
        (".hidden", False),
        ("-flag", False),
        ("a/b", False),
        ("a..b", False),
        ("a b", False),
        ("a\n", False),
        ("x" * 300, False),
    ],
)
def test_plain_names(name: str, plain: bool) -> None:
    assert is_plain_name(name) is plain
