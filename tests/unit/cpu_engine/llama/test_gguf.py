"""What the header of a real GGUF file tells."""

from __future__ import annotations

from pathlib import Path

from unit.cpu_engine.real_engine import MODEL_ID

from cpu_engine.llama.gguf import read_model_file


def test_what_a_real_file_says(models: Path) -> None:
    model = read_model_file(models / MODEL_ID / "model.gguf")
    assert (model.context_length, model.has_chat_template, model.eos_token_id) == (8192, True, 2)
    assert model.vocabulary.special[2] == "<|im_end|>"
    assert b"\xf0\x9f" in [raw.strip() for raw in model.vocabulary.fragments.values()]
