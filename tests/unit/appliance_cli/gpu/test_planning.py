"""Plans: TGI's own formula, what follows from it, and what is said when nothing fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from appliance_cli.base.errors import HostNotReady
from appliance_cli.gpu.planning import GIB, MIB, cards, fitting, known_models, memory
from appliance_cli.gpu.planning.plan import Plan, Request, make
from harness.planned_models import ID_7B, known


def request(model_id: str = ID_7B, **changes: Any) -> Request:
    base = Request(model_id, known(model_id), "nf4", "nf4", cards.by_name("RTX 4090"))
    return replace(base, **changes)


def fixed(weights: int) -> memory.Fixed:
    return memory.Fixed(
        context=GIB, workspace=0, weights=weights, activations=GIB, loading=0, graphs=0, serving=0
    )


# --- TGI's formula


def test_tgis_formula_by_hand() -> None:
    """24 GiB, f = 0.5: 0.9 x 0.5 x 24 = 10.8 GiB, less 5 fixed, at 1 MiB a token."""
    cache = memory.Cache(MIB, tensors=2, warmup=100)
    tokens = memory.kv_tokens(memory.Device(24 * GIB), 0.5, fixed(3 * GIB), cache)
    assert tokens == int(5.8 * 1024)
    others = memory.kv_tokens(memory.Device(24 * GIB, others=GIB), 0.5, fixed(3 * GIB), cache)
    assert tokens - others == 1024  # other programs' memory comes out of the cache


def test_the_warm_ups_tokens_are_kept_even_when_the_formula_leaves_none() -> None:
    device = memory.Device(24 * GIB)
    tokens = {
        warmup: memory.kv_tokens(device, 0.5, fixed(10 * GIB), memory.Cache(MIB, 2, warmup))
        for warmup in (512, 2048)
    }
    assert tokens == {512: 512, 2048: 0}  # the latter is above the allocator's cap


def test_pytorch_rounds_the_warm_ups_cache() -> None:
    """Two tensors below 10 MiB share a block of 20; a larger one is rounded up to 2 MiB."""
    assert memory.Cache(56 * 1024, 56, 8191).warmup_bytes == 28 * 20 * MIB
    assert memory.Cache(28 * 1024, 56, 8191).warmup_bytes == 12 * 20 * MIB
    assert memory.Cache(56 * 1024, 56, 16_382).warmup_bytes == 56 * 16 * MIB


def test_the_article_s_16_gb() -> None:
    plan = make(request(target=16 * GIB, fast_nf4=True))
    assert plan.problems == ()
    assert 15.7 * GIB < plan.used <= 16 * GIB < plan.ceiling
    assert plan.settings["CUDA_MEMORY_FRACTION"] == "0.695"


def test_the_settings_of_docker_compose_yml_fit_the_card_they_are_made_for() -> None:
    plan = make(request(fraction=0.70, tokens=8192, prefill=4096, max_input=7168))
    assert plan.problems == ()
    assert plan.cuda_graphs == (1, 2, 4, 8, 16, 32, 48, 64, 96, 128)
    assert plan.settings["MAX_CONCURRENT_REQUESTS"] == "128"
    assert plan.settings["MAX_INPUT_TOKENS"] == "7168"
    assert plan.settings["ENGINE_MEMORY"] == "24g"


@pytest.mark.parametrize("model_id", known_models.names())
def test_a_plan_never_takes_more_than_a_card_has(model_id: str) -> None:
    model = known(model_id)
    format_: Any = "nf4" if model.quantization is None else model.quantization.method
    for name in cards.names():
        plan = make(Request(model_id, model, format_, format_, cards.by_name(name)))
        if not plan.problems:
            assert plan.used <= plan.ceiling <= plan.request.card.total
            assert plan.kv_tokens >= plan.max_total_tokens > plan.max_input_tokens
            assert plan.max_concurrent_requests == max(plan.cuda_graphs)


def test_a_larger_card_never_holds_fewer_tokens() -> None:
    tokens = [make(request(card=cards.by_memory(gib))).kv_tokens for gib in range(8, 96, 4)]
    assert tokens == sorted(tokens)


def test_options_change_the_plan_as_they_should() -> None:
    plain = make(request())
    assert make(request(kv_element_bytes=1)).kv_tokens == pytest.approx(2 * plain.kv_tokens, rel=0.01)
    assert make(request(cuda_graphs=())).fixed.graphs == 0
    assert make(request(fast_nf4=True)).used < plain.used
    assert make(request(tokens=32768)).max_batch_prefill_tokens == 4096
    guessing = make(request(tokens=32768, speculate=3))
    assert guessing.max_batch_prefill_tokens == 28_928  # no chunks: whole prompts
    assert guessing.max_concurrent_requests == 32  # a row for each guessed token


def test_a_smaller_card_gets_a_smaller_budget_and_fewer_graphs() -> None:
    chosen = [
        (plan.max_batch_prefill_tokens, max(plan.cuda_graphs))
        for plan in (make(request(card=cards.by_memory(gib))) for gib in (24, 16, 12, 10))
    ]
    assert chosen == [(4096, 128), (4096, 128), (2048, 64), (1024, 32)]


def test_graphs_reach_to_the_people_who_were_asked_for() -> None:
    plan = make(request(card=cards.by_memory(12), tokens=512, users=90))
    assert plan.problems == ()
    assert max(plan.cuda_graphs) == 96


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
        ({"users": 50}, "KV cache for 2", "KV_CACHE_DTYPE=fp8_e4m3fn "),
        ({"users": 25, "target": 16 * GIB}, "KV cache for 1", "TARGET_VRAM=all "),
        ({"users": 50, "target": 16 * GIB}, "KV cache", "TARGET_VRAM=all and KV_CACHE_DTYPE=fp8_e4m3fn "),
        ({"users": 100}, "KV cache", "MAX_TOTAL_TOKENS=2048 "),
        ({"users": 200, "tokens": 512}, "128 answers at a time, not 200", "serve 128 at a time "),
        ({"tokens": 40_000}, "more than the model's 32768 positions", "MAX_TOTAL_TOKENS=32768 "),
        (
            {"card": cards.by_memory(12), "mode": "bf16", "format_": "bf16"},
            "14.2 GiB of weights",
            "MODE=eetq ",
        ),
        ({"card": cards.by_memory(4)}, "5.2 GiB of weights", "MODEL_ID=Qwen/Qwen2.5-1.5B-Instruct "),
        ({"fraction": 0.2}, "5.2 GiB of weights", "no CUDA_MEMORY_FRACTION in .env "),
        ({"target": 30 * GIB}, "30.0 GiB are more than the card has free", "TARGET_VRAM=all "),
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
    for gib in (4, 6, 8, 10):
        found = fitting.nearest(request(mode="bf16", format_="bf16", card=cards.by_memory(gib)))
        assert found is not None
        assert isinstance(found[1], Plan) and found[1].problems == ()


def test_nothing_fits_a_card_without_room() -> None:
    with pytest.raises(HostNotReady) as refusal:
        fitting.fits(request(card=cards.by_memory(1)))
    assert refusal.value.remedy.startswith("use a card with more memory")
