"""The planner's arithmetic against published sizes and measured ones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from appliance_cli.errors import BadSetting, HostNotReady
from appliance_cli.modes import MODES
from appliance_cli.planning import GIB, MIB, architecture, cards, fitting, known_models, memory, weights
from appliance_cli.planning.architecture import Architecture
from appliance_cli.planning.plan import Plan, Request, make
from harness.stack import REPO

ID_7B = known_models.DEFAULT_MODEL
CONFIG_7B = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}
# Shard sizes of Qwen/Qwen2.5-7B-Instruct in bytes, as the Hub lists them: headers and tensors
SHARDS_7B = (3_945_426_872, 3_864_726_352, 3_864_726_408, 3_556_392_240)


def known(model_id: str = ID_7B) -> Architecture:
    found = known_models.find(model_id)
    assert found is not None
    return found


def request(model_id: str = ID_7B, **changes: Any) -> Request:
    base = Request(model_id, known(model_id), "nf4", "nf4", cards.by_name("RTX 4090"))
    return replace(base, **changes)


README_ROW = re.compile(
    r"^\| (`[^|]*) \| ([\d.]+) GiB \| ([\d,]+)[：:] ?(\d+) \S+ × 8,192 \| (\d+) tokens?/s \|", re.MULTILINE
)
RTX_4090_BANDWIDTH = 1008e9  # bytes a second: NVIDIA's data sheet


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readmes_say_what_the_planner_says(name: str) -> None:
    rows = README_ROW.findall((REPO / name).read_text())
    told = {mode: row[1:] for row in rows for mode in re.findall("`(\\w+)`", row[0])}
    assert set(told) == set(MODES)
    for mode in MODES.values():
        plan = make(request(mode.model_id, mode=mode.name, format_=mode.format_))
        fastest = RTX_4090_BANDWIDTH / (plan.weights.total - plan.weights.embedding)
        weights_gib, tokens, users, speed = told[mode.name]
        assert weights_gib == f"{plan.weights.total / GIB:.1f}"
        assert tokens == f"{plan.kv_tokens // 1000},000"
        assert int(users) == plan.kv_tokens // 8192
        assert int(speed) == pytest.approx(fastest, abs=1.5), "awq and gptq share a row, as do fp8 and eetq"


# --- the model


@pytest.mark.parametrize(
    ("size", "parameters"),  # each repository's model.safetensors.index.json: total_size / 2
    [
        ("0.5B", 494_032_768),
        ("1.5B", 1_543_714_304),
        ("3B", 3_085_938_688),
        ("7B", 7_615_616_512),
        ("14B", 14_770_033_664),
        ("32B", 32_763_876_352),
        ("72B", 72_706_203_648),
    ],
)
def test_parameters_are_exact(size: str, parameters: int) -> None:
    assert known(f"Qwen/Qwen2.5-{size}-Instruct").parameters == parameters


def test_the_checkpoint_is_the_shards_without_their_headers() -> None:
    on_disk = sum(SHARDS_7B)
    assert 0 < on_disk - weights.checkpoint_bytes(known()) < 200_000


@pytest.mark.parametrize(("variant", "gb"), [("-AWQ", 5.57), ("-GPTQ-Int4", 5.58), ("-GPTQ-Int8", 8.86)])
def test_quantised_checkpoints_have_their_published_size(variant: str, gb: float) -> None:
    assert weights.checkpoint_bytes(known(ID_7B + variant)) / 1e9 == pytest.approx(gb, rel=0.01)


def test_config_json_gives_the_same_as_the_table() -> None:
    assert architecture.from_config(CONFIG_7B, "config.json") == known()


def test_other_families_by_their_published_totals() -> None:
    llama = {
        **CONFIG_7B,
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
    assert architecture.from_config(llama, "c").parameters == 8_030_261_248  # Llama 3.1 8B
    nemo = {
        **llama,
        "model_type": "mistral",
        "hidden_size": 5120,
        "num_hidden_layers": 40,
        "head_dim": 128,
        "vocab_size": 131072,
    }
    assert (
        architecture.from_config(nemo, "c").parameters == 12_247_782_400
    )  # Mistral Nemo: heads narrower than hidden
    qwen3 = {
        **CONFIG_7B,
        "model_type": "qwen3",
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    }
    assert architecture.from_config(qwen3, "c").parameters == 596_049_920  # Qwen3 0.6B


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"num_experts": 60, "model_type": "qwen2_moe"}, "a mixture of experts (qwen2_moe, num_experts=60)"),
        (
            {"model_type": "mixtral", "num_local_experts": 8},
            "a mixture of experts (mixtral, num_local_experts=8)",
        ),
        ({"model_type": "gemma2"}, "gemma2"),
        ({"model_type": None}, "None"),
        ({"hidden_size": "3584"}, "'3584'"),
        ({"num_hidden_layers": True}, "True"),
        ({"quantization_config": {"quant_method": "hqq"}}, "quant_method 'hqq'"),
        ({"quantization_config": {"quant_method": "awq", "bits": "4"}}, "'4'"),
    ],
)
def test_what_cannot_be_planned_is_refused(change: dict[str, Any], found: str) -> None:
    with pytest.raises(BadSetting, match=r"config\.json cannot be planned with") as refusal:
        architecture.from_config({**CONFIG_7B, **change}, "config.json")
    assert refusal.value.found == found
    assert refusal.value.expected and refusal.value.remedy


# --- weights


@pytest.mark.parametrize(
    ("format_", "measured_gib"), [("bf16", 15.20), ("nf4-single", 6.50), ("nf4", 6.23), ("int8", 9.16)]
)
def test_weights_agree_with_a_measurement_in_transformers(
    format_: weights.Format, measured_gib: float
) -> None:
    """Measured on an NVIDIA H200, transformers 5.17 and bitsandbytes 0.50.2, 2026-11-22; within 2 percent.

    Those figures hold one more matrix of the embedding's size than the model has: its parameters are
    14.19 GiB in bf16, and 15.20 were in use. It is added here, in every mode the same, not believed to be
    weights; tests/gpu/measure_weights.py measures without it.
    """
    planned = weights.transformers_weights(known(), format_)
    assert (planned.total + planned.embedding) / GIB == pytest.approx(measured_gib, rel=0.02)


def test_nf4_takes_4_127_bits_a_weight() -> None:
    matrix = architecture.Matrix("any", 4096, 4096)
    bits = 8 * (weights.matrix_bytes(matrix, "nf4") - (16 + 256 + 1) * 4) / matrix.elements
    assert bits == pytest.approx(4 + 8 / 64 + 32 / (64 * 256))


def test_tgi_loads_a_tied_head_a_second_time() -> None:
    tied = known("Qwen/Qwen2.5-1.5B-Instruct")
    assert weights.transformers_weights(tied, "bf16").head == 0
    assert weights.tgi_weights(tied, "bf16").head == 151_936 * 1536 * 2


def test_two_cards_hold_half_each() -> None:
    whole, half = weights.tgi_weights(known(), "nf4"), weights.tgi_weights(known(), "nf4", 2)
    assert half.total == pytest.approx(whole.total / 2, rel=0.001)


def test_awq_and_gptq_follow_their_own_config() -> None:
    int4 = weights.tgi_weights(known(f"{ID_7B}-GPTQ-Int4"), "gptq").total
    int8 = weights.tgi_weights(known(f"{ID_7B}-GPTQ-Int8"), "gptq").total
    awq = weights.tgi_weights(known(f"{ID_7B}-AWQ"), "awq").total
    assert int4 < awq < int8  # AWQ keeps zero points
    with pytest.raises(ValueError, match="needs the checkpoint's own"):
        weights.tgi_weights(known(), "awq")


def test_the_kv_cache_of_a_token() -> None:
    """57,344 bytes, measured on an H200: 8,192 tokens took 448 MiB."""
    assert architecture.kv_bytes_per_token(known()) == 57_344
    assert 8192 * architecture.kv_bytes_per_token(known()) == 448 * MIB
    assert architecture.kv_bytes_per_token(known(), element_bytes=1) == 28_672


# --- TGI's formula


def test_tgis_formula_by_hand() -> None:
    """24 GiB, f = 0.5: 0.9 x 0.5 x 24 = 10.8 GiB, less 5 fixed, at 1 MiB a token."""
    fixed = memory.Fixed(context=GIB, workspace=0, weights=3 * GIB, activations=GIB, graphs=0)
    tokens = memory.kv_tokens(memory.Device(24 * GIB), 0.5, fixed, MIB, warmup_tokens=100)
    assert tokens == int(5.8 * 1024)
    others = memory.kv_tokens(memory.Device(24 * GIB, others=GIB), 0.5, fixed, MIB, warmup_tokens=100)
    assert tokens - others == 1024  # other programs' memory comes out of the cache


def test_the_warm_ups_tokens_are_kept_even_when_the_formula_leaves_none() -> None:
    fixed = memory.Fixed(context=GIB, workspace=0, weights=10 * GIB, activations=GIB, graphs=0)
    device = memory.Device(24 * GIB)
    assert memory.kv_tokens(device, 0.5, fixed, MIB, warmup_tokens=512) == 512
    assert memory.kv_tokens(device, 0.5, fixed, MIB, warmup_tokens=2048) == 0  # above the allocator's cap


def test_the_article_s_16_gb() -> None:
    plan = make(request(target=16 * GIB))
    assert plan.problems == ()
    assert 15.5 * GIB < plan.used <= 16 * GIB
    assert plan.settings["CUDA_MEMORY_FRACTION"] in ("0.72", "0.73")
    assert plan.kv_tokens == pytest.approx(150_000, rel=0.05)
    assert make(request(fraction=0.72)).kv_tokens == pytest.approx(150_000, rel=0.05)


def test_the_settings_of_docker_compose_yml_fit_the_card_they_are_made_for() -> None:
    plan = make(request(fraction=0.72, tokens=8192, prefill=8192, max_input=7168))
    assert plan.problems == ()
    assert plan.settings["MAX_INPUT_TOKENS"] == "7168"
    assert plan.settings["ENGINE_MEMORY"] == "24g"


@pytest.mark.parametrize("model_id", known_models.names())
def test_a_plan_never_takes_more_than_a_card_has(model_id: str) -> None:
    model = known(model_id)
    format_: Any = "nf4" if model.quantization is None else model.quantization.method
    for name in cards.names():
        plan = make(Request(model_id, model, format_, format_, cards.by_name(name)))
        assert plan.used <= plan.request.card.usable
        if not plan.problems:
            allocated = plan.fixed.allocated + plan.kv_tokens * plan.kv_bytes
            assert allocated <= plan.fraction * plan.request.card.usable
            assert plan.kv_tokens >= plan.max_total_tokens > plan.max_input_tokens


def test_a_larger_card_never_holds_fewer_tokens() -> None:
    tokens = [make(request(card=cards.by_memory(gib))).kv_tokens for gib in range(8, 96, 4)]
    assert tokens == sorted(tokens)


def test_options_change_the_plan_as_they_should() -> None:
    plain = make(request())
    assert make(request(kv_element_bytes=1)).kv_tokens == pytest.approx(2 * plain.kv_tokens, rel=0.01)
    assert make(request(cuda_graphs=())).fixed.graphs == 0
    assert make(request(fast_nf4=True)).fixed.graphs < plain.fixed.graphs
    assert make(request(tokens=32768)).max_batch_prefill_tokens == 8192
    assert (
        make(request(tokens=32768, speculate=True)).max_batch_prefill_tokens == 28_928
    )  # no chunks: whole prompts


def test_what_other_programs_hold_comes_out_of_the_cache_once() -> None:
    """TGI looks at what is free, so a smaller fraction would take it away a second time."""
    plain, shared = (
        make(request(card=replace(cards.by_name("RTX 4090"), used=used))) for used in (0, 2 * GIB)
    )
    assert shared.fraction == plain.fraction
    assert plain.kv_tokens - shared.kv_tokens == pytest.approx(2 * GIB / plain.kv_bytes, abs=1)


# --- what does not fit


@pytest.mark.parametrize(
    ("changes", "found", "remedy"),
    [
        ({"users": 50}, "KV cache for 2", "MAX_TOTAL_TOKENS=4096 "),
        ({"tokens": 40_000}, "more than the model's 32768 positions", "MAX_TOTAL_TOKENS=32768 "),
        (
            {"card": cards.by_memory(12), "mode": "bf16", "format_": "bf16"},
            "14.2 GiB of weights",
            "MODE=eetq ",
        ),
        ({"card": cards.by_memory(4)}, "5.2 GiB of weights", "MODEL_ID=Qwen/Qwen2.5-1.5B-Instruct "),
        ({"fraction": 0.2}, "5.2 GiB of weights", "no CUDA_MEMORY_FRACTION in .env "),
        ({"target": 30 * GIB}, "30.0 GiB are more than the card has free", "no TARGET_VRAM: the whole card "),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest_that_does(
    changes: dict[str, Any], found: str, remedy: str
) -> None:
    with pytest.raises(HostNotReady, match="does not fit on") as refusal:
        fitting.fits(request(**changes))
    assert found in refusal.value.found
    assert refusal.value.remedy.startswith(remedy)
    assert refusal.value.expected.startswith("room for the weights and ")


def test_the_nearest_setting_does_fit() -> None:
    for gib in (3, 4, 6, 8, 10):
        found = fitting.nearest(request(mode="bf16", format_="bf16", card=cards.by_memory(gib)))
        assert found is not None
        assert isinstance(found[1], Plan) and found[1].problems == ()


def test_nothing_fits_a_card_without_room() -> None:
    with pytest.raises(HostNotReady) as refusal:
        fitting.fits(request(card=cards.by_memory(1)))
    assert refusal.value.remedy.startswith("use a card with more memory")
