"""Models that can be planned with before anything was downloaded: the Qwen2.5 instruct family.

Numbers are those of each repository's config.json on the Hub (Qwen/Qwen2.5-*-Instruct, -AWQ, -GPTQ-Int4,
-GPTQ-Int8). The 72B's quantised variants pad intermediate_size from 29568 to 29696, so that it divides by the
group size on several cards. The parameter totals are in the tests, from the repositories' own indexes.
"""

from dataclasses import replace

from appliance_cli.config.table import default_of
from appliance_cli.gpu.planning.architecture import Architecture
from appliance_cli.gpu.planning.checkpoint_quantization import CheckpointQuantization

DEFAULT_MODEL = default_of("MODEL_ID")

# size: hidden, intermediate, layers, heads, key/value heads, vocabulary, tied
_QWEN25 = {
    "0.5B": (896, 4864, 24, 14, 2, 151_936, True),
    "1.5B": (1536, 8960, 28, 12, 2, 151_936, True),
    "3B": (2048, 11008, 36, 16, 2, 151_936, True),
    "7B": (3584, 18944, 28, 28, 4, 152_064, False),
    "14B": (5120, 13824, 48, 40, 8, 152_064, False),
    "32B": (5120, 27648, 64, 40, 8, 152_064, False),
    "72B": (8192, 29568, 80, 64, 8, 152_064, False),
}
_VARIANTS = {
    "-AWQ": CheckpointQuantization("awq", 4, 128, symmetric=False, desc_act=False),
    "-GPTQ-Int4": CheckpointQuantization("gptq", 4, 128, symmetric=True, desc_act=False),
    "-GPTQ-Int8": CheckpointQuantization("gptq", 8, 128, symmetric=True, desc_act=False),
}
_PADDED_72B = 29_696


def find(model_id: str) -> Architecture | None:
    """The architecture of a model that is known by name, or None."""
    return _MODELS.get(model_id.removeprefix("Qwen/")) if model_id.startswith("Qwen/") else None


def names() -> tuple[str, ...]:
    """Every model id that `find` knows, smallest first."""
    return tuple(f"Qwen/{name}" for name in _MODELS)


def smaller(model_id: str) -> tuple[str, ...]:
    """The same series' smaller members, largest first; none for a model that is not known."""
    sizes = list(_QWEN25)
    size = next((size for size in sizes if f"Qwen2.5-{size}-" in f"{model_id}-"), None)
    if size is None or find(model_id) is None:
        return ()
    return tuple(model_id.replace(size, other) for other in reversed(sizes[: sizes.index(size)]))


def _qwen25(size: str) -> Architecture:
    hidden, intermediate, layers, heads, kv_heads, vocabulary, tied = _QWEN25[size]
    return Architecture(
        model_type="qwen2",
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=hidden // heads,
        vocab_size=vocabulary,
        max_position_embeddings=32_768,
        tie_word_embeddings=tied,
        qkv_bias=True,
        output_bias=False,
        mlp_bias=False,
        qk_norm=False,
    )


def _variants(size: str) -> dict[str, Architecture]:
    plain = _qwen25(size)
    padded = replace(plain, intermediate_size=_PADDED_72B) if size == "72B" else plain
    found = {f"Qwen2.5-{size}-Instruct": plain}
    for suffix, quantization in _VARIANTS.items():
        found[f"Qwen2.5-{size}-Instruct{suffix}"] = replace(padded, quantization=quantization)
    return found


_MODELS = {name: model for size in _QWEN25 for name, model in _variants(size).items()}
