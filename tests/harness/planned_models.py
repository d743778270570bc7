"""Models to plan with: those that the planner knows by name, and the config.json of a tiny one."""

from __future__ import annotations

from appliance_cli.gpu.planning import known_models
from appliance_cli.gpu.planning.architecture import Architecture

ID_7B = known_models.DEFAULT_MODEL
TINY_CONFIG = {
    "model_type": "qwen2",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 32768,
}


def known(model_id: str = ID_7B) -> Architecture:
    found = known_models.find(model_id)
    assert found is not None
    return found
