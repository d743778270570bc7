"""The sizes that a config.json states, and what is taken where it leaves one out."""

from __future__ import annotations

from typing import Any

import pytest

from model_files.config_json import BadNumber, DecoderSizes, decoder_sizes, whole

PLAIN: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "vocab_size": 256,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}


def test_the_head_size_is_worked_out_unless_it_is_stated() -> None:
    assert decoder_sizes(PLAIN) == DecoderSizes(64, 2, 256, 8, 2, head_dim=8, tied=False)
    stated = decoder_sizes(PLAIN | {"head_dim": 16, "tie_word_embeddings": True})
    assert (stated.query, stated.key_value, stated.tied) == (128, 32, True)


@pytest.mark.parametrize("absent", [{}, {"num_key_value_heads": None}])
def test_without_groups_every_head_has_its_own_keys(absent: dict[str, Any]) -> None:
    config = {key: value for key, value in PLAIN.items() if key != "num_key_value_heads"} | absent
    assert decoder_sizes(config).kv_heads == 8


@pytest.mark.parametrize("value", [None, 0, -1, 2.0, "64", True])
def test_what_is_no_positive_whole_number_is_named(value: object) -> None:
    with pytest.raises(BadNumber, match=r"expected hidden_size in config\.json as a whole number") as refusal:
        whole({"hidden_size": value}, "hidden_size")
    assert (refusal.value.key, refusal.value.value) == ("hidden_size", value)
