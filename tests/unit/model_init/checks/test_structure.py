"""Whole models that no engine could load, with the reason that a person reads."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from harness.hub import Hub
from harness.model_init_run import MODEL_ID, TEMPLATE, ModelInit, gguf, tiny_model
from model_init.checks import gguf as gguf_check
from model_init.checks.structure import check_model
from model_init.errors import InvalidModel

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 16,
    "tie_word_embeddings": False,
}


def llama_tensors() -> dict[str, tuple[int, ...]]:
    """Names and shapes that CONFIG implies."""
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (16, 8),
        "model.norm.weight": (8,),
        "lm_head.weight": (16, 8),
    }
    for layer in range(2):
        attention = f"model.layers.{layer}.self_attn"
        shapes[f"{attention}.q_proj.weight"] = shapes[f"{attention}.o_proj.weight"] = (8, 8)
        shapes[f"{attention}.k_proj.weight"] = shapes[f"{attention}.v_proj.weight"] = (4, 8)
    return shapes


def model(
    folder: Path,
    config: dict[str, Any] | None = None,
    shapes: dict[str, tuple[int, ...]] | None = None,
    **files: bytes,
) -> dict[str, Path]:
    """A whole model on disk; files are overridden by name, with `_json` for `.json`; b"" leaves one out."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in (shapes or llama_tensors()).items()}
    content = {
        "config.json": json.dumps(CONFIG if config is None else config).encode(),
        "tokenizer.json": b'{"model": {}}',
        "tokenizer_config.json": json.dumps({"chat_template": TEMPLATE}).encode(),
        "model.safetensors": save(weights),
    } | {name.replace("_json", ".json").replace("_jinja", ".jinja"): data for name, data in files.items()}
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name, data in content.items() if data}


def test_a_model_as_it_should_be(tmp_path: Path) -> None:
    assert check_model(model(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("num_hidden_layers", 3, "expects 3 layers from 0 on, found 2, the last one 1"),
        ("num_hidden_layers", 1, "expects 1 layers"),
        ("hidden_size", 16, r"model.embed_tokens.weight of shape \[16, 16\], found \[16, 8\]"),
        ("vocab_size", 32, r"model.embed_tokens.weight of shape \[32, 8\]"),
        ("num_key_value_heads", 4, r"layers.0.self_attn.k_proj.weight of shape \[8, 8\], found \[4, 8\]"),
        ("head_dim", 4, r"q_proj.weight of shape \[16, 8\]"),
        ("num_attention_heads", None, "expected num_attention_heads in config.json as a whole number"),
        ("vocab_size", "16", "expected vocab_size in config.json as a whole number, found '16'"),
    ],
)
def test_a_config_that_disagrees_with_the_tensors(tmp_path: Path, name: str, value: Any, reason: str) -> None:
    with pytest.raises(InvalidModel, match=reason):
        check_model(model(tmp_path, {**CONFIG, name: value}))


def test_tied_embeddings_need_no_head(tmp_path: Path) -> None:
    shapes = llama_tensors()
    del shapes["lm_head.weight"]
    assert check_model(model(tmp_path, {**CONFIG, "tie_word_embeddings": True}, shapes)) == []
    with pytest.raises(InvalidModel, match=r"expects the tensor lm_head.weight, found none"):
        check_model(model(tmp_path, CONFIG, shapes))


@pytest.mark.parametrize(
    "config", [{"architectures": ["NewForCausalLM"]}, {}, {**CONFIG, "quantization_config": {"bits": 4}}]
)
def test_what_is_unknown_is_noted_not_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    (note,) = check_model(model(tmp_path, config))
    assert "shapes are not compared" in note


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"tokenizer_json": b"{}"}, "tokenizer.json: expected a tokenizer with a model"),
        ({"tokenizer_json": b'{"model": '}, "tokenizer.json: Expecting value"),
        ({"config_json": b"[]"}, "config.json: expected a JSON object, found list"),
        ({"tokenizer_config_json": b"{}"}, "expected a chat template .*, found none"),
        ({"chat_template_jinja": b"{% for m in %}"}, "expected a chat template that renders, found Template"),
        ({"chat_template_jinja": b"{{ raise_exception('no') }}"}, "that renders, found TemplateError: no"),
        ({"chat_template_jinja": b"hello"}, "render the user's message, found it missing"),
        (
            {"chat_template_jinja": b"{{ messages.__class__.__mro__ }}"},
            "that renders, found SecurityError",
        ),
    ],
)
def test_a_model_that_can_not_chat(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(InvalidModel, match=reason):
        check_model(model(tmp_path, None, None, **files))


def test_a_template_in_a_list_and_in_a_file(tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "{{ 1/0 }}"}, {"name": "default", "template": TEMPLATE}]
    listed = json.dumps({"chat_template": named}).encode()
    assert check_model(model(tmp_path, tokenizer_config_json=listed)) == []
    assert check_model(model(tmp_path, chat_template_jinja=TEMPLATE.encode())) == []


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("config.json", b"{", "invalid model: config.json: Expecting property name"),
        ("config.json", b"[" * 100_000, "invalid model: config.json: "),
        ("tokenizer_config.json", b"{}", "invalid model: chat template: expected a chat template in "),
        ("tokenizer_config.json", b'{"chat_template": [{}]}', "invalid model: chat template: "),
        (
            "model.safetensors.index.json",
            b'{"weight_map": {"a.weight": "model-00003-of-00003.safetensors"}}',
            "invalid model: model.safetensors.index.json: the index expects 'a.weight' in "
            "'model-00003-of-00003.safetensors', found no such file",
        ),
    ],
)
def test_what_small_files_tell_is_refused_before_any_weights_are_fetched(
    hub: Hub, model_init: ModelInit, name: str, data: bytes, reason: str
) -> None:
    hub.add(MODEL_ID, tiny_model() | {name: data})
    result = model_init.run(PARALLEL_FILES="4")

    assert result.code == 15, result.log
    assert reason in result.log
    assert not [file for file in hub.names() if file.endswith(".safetensors")]


@pytest.mark.parametrize("architectures", [5, "Qwen2ForCausalLM", [[]], {}])
def test_junk_in_a_config_is_refused_or_noted(tmp_path: Path, architectures: Any) -> None:
    with suppress(InvalidModel):
        check_model(model(tmp_path, {**CONFIG, "architectures": architectures}))


def test_a_tensor_that_the_index_lacks_is_said_and_published(hub: Hub, model_init: ModelInit) -> None:
    files = tiny_model()
    index = json.loads(files["model.safetensors.index.json"])
    del index["weight_map"]["d.weight"]
    hub.add(MODEL_ID, files | {"model.safetensors.index.json": json.dumps(index).encode()})
    result = model_init.run()

    assert result.code == 0, result.log
    assert (
        "note: model.safetensors.index.json lacks 'd.weight', which the shards have: engines load the shards "
        "all the same" in result.log
    )


def test_a_total_size_that_is_wrong(hub: Hub, model_init: ModelInit) -> None:
    files = tiny_model()
    index = json.loads(files["model.safetensors.index.json"])
    index["metadata"]["total_size"] += 1
    hub.add(MODEL_ID, files | {"model.safetensors.index.json": json.dumps(index).encode()})
    result = model_init.run()

    assert result.code == 15
    assert "the index expects 2097153 bytes of tensors, found 2097152" in result.log
    assert model_init.weights() == []


@pytest.mark.parametrize("name", ["pytorch_model.bin", "old.pt", "x.pth", "y.ckpt"])
def test_a_pickle_in_the_folder_is_moved_aside(model_init: ModelInit, name: str) -> None:
    model_init.run()
    (model_init.folder / name).write_bytes(b"cos\nsystem\n")
    result = model_init.run()

    assert result.code == 0
    assert not (model_init.folder / name).exists()
    assert f"warning: {name} is no part of the model but a pickle file, which can run code" in result.log


def test_a_link_out_of_the_folder_is_replaced_by_the_file(model_init: ModelInit, tmp_path: Path) -> None:
    model_init.run()
    outside = tmp_path / "outside.json"
    (model_init.folder / "config.json").rename(outside)
    (model_init.folder / "config.json").symlink_to(outside)

    assert model_init.run().code == 0
    assert not (model_init.folder / "config.json").is_symlink()


def test_a_gguf_as_it_should_be(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf("a", "b", "c"))

    assert gguf_check.check_file(path) == {"general.architecture": "llama"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gguf("a", "b")[:-1], "expected 512 bytes of tensors by the header, found 511"),
        (gguf("a", "a"), "each once, found 'a'"),
        (gguf("a", "b")[:60], "found the end of the file in it"),
        (gguf("a")[:91] + b"\x63" + gguf("a")[92:], "expected"),
    ],
)
def test_a_gguf_whose_table_is_wrong(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(gguf_check.GgufError, match=reason):
        gguf_check.check_file(path)


@pytest.mark.parametrize("position", range(0, 96))
def test_a_gguf_header_with_any_byte_inverted_never_crashes(tmp_path: Path, position: int) -> None:
    """Refused with a reason, or another valid header (names and text may differ): nothing else."""
    data = bytearray(gguf("a", "b"))
    data[position] ^= 0xFF
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    try:
        gguf_check.check_file(path)
    except gguf_check.GgufError as error:
        assert str(error).startswith("expected")
