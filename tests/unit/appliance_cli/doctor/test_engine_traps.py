"""What makes TGI slow without a word, told from its own arguments, libraries and figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance_cli.compose.containers import Container
from appliance_cli.doctor import engine_traps
from appliance_cli.doctor.troubles import TROUBLES
from appliance_cli.stack.figures import Figures, parse

ARGUMENTS = (
    "--quantize=bitsandbytes-nf4",
    "--max-batch-prefill-tokens=4096",
    "--cuda-graphs=1,2,4,8,16,32,48,64,96,128",
    "--max-concurrent-requests=128",
)
ENGINE = Container(
    "id", "p-tgi-1", "tgi", "image", "running", "healthy", 0, 0, "2026-11-27T10:00:00Z", arguments=ARGUMENTS
)
FAST = "/models/.engine-packages/fast-nf4-1/bitsandbytes-0.50.2/bitsandbytes/libbitsandbytes_cuda126.so"
SLOW = "/usr/src/.venv/lib/python3.11/site-packages/bitsandbytes/libbitsandbytes_cuda126.so"


def with_(name: str, value: str) -> Container:
    changed = [f"--{name}={value}" if each.startswith(f"--{name}=") else each for each in ARGUMENTS]
    return replace(ENGINE, arguments=tuple(changed))


def wrong(engine: Container, mapped: str = FAST, seen: Figures | None = None) -> list[tuple[str, str]]:
    findings = engine_traps.examine([engine], {engine.name: mapped}, seen)
    assert {finding.check for finding in findings} <= set(TROUBLES)
    return [(finding.level, finding.check) for finding in findings if finding.level != "ok"]


def test_the_settings_that_ship_are_no_trap() -> None:
    assert wrong(ENGINE) == []


def test_the_images_own_kernels_are_seen_by_what_is_mapped() -> None:
    assert wrong(ENGINE, SLOW) == [("warn", "slow-kernels")]
    assert wrong(with_("quantize", "awq"), SLOW) == []


def test_more_answers_than_the_largest_graph() -> None:
    narrow = with_("cuda-graphs", "1,2,4,8,16,32")
    assert wrong(narrow) == [("warn", "rows-over-graph")]
    now = Figures({"10.0.0.1": parse("tgi_batch_current_size 48\n")})
    assert wrong(narrow, seen=now) == [("fail", "rows-over-graph")]
    assert wrong(with_("cuda-graphs", "0")) == []  # LoRA adapters need that


def test_two_engines_together_may_answer_more_than_one_s_graph_has() -> None:
    each = parse("tgi_batch_current_size 80\n")
    assert wrong(ENGINE, seen=Figures({"10.0.0.1": each, "10.0.0.2": each})) == []


@pytest.mark.parametrize(("budget", "named"), [(8192, 2048), (4096, 2048), (2048, 1024), (1000, 500)])
def test_what_is_to_be_set_is_less_than_what_is_set(budget: int, named: int) -> None:
    name = "tgi_batch_inference_duration"
    slow = f'{name}_count{{method="prefill"}} 100\n{name}_bucket{{method="prefill",le="1.2"}} 95\n'
    engine = with_("max-batch-prefill-tokens", str(budget))
    findings = engine_traps.examine([engine], {engine.name: FAST}, Figures({"10.0.0.1": parse(slow)}))
    (remedy,) = [finding.remedy for finding in findings if finding.check == "prefill-budget"]
    assert remedy.startswith(f"MAX_BATCH_PREFILL_TOKENS={named} in .env")


def test_a_prefill_budget_that_makes_readers_wait() -> None:
    assert wrong(with_("max-batch-prefill-tokens", "8192")) == [("warn", "prefill-budget")]


def test_prefills_that_took_long_count_whatever_the_budget_is() -> None:
    name = "tgi_batch_inference_duration"
    slow = f"""
{name}_bucket{{method="prefill",le="0.8"}} 90
{name}_bucket{{method="prefill",le="1.2"}} 95
{name}_bucket{{method="prefill",le="+Inf"}} 100
{name}_count{{method="prefill"}} 100
"""
    assert wrong(ENGINE, seen=Figures({"10.0.0.1": parse(slow)})) == [("warn", "prefill-budget")]
    quick = slow.replace(" 95", " 100")
    assert wrong(ENGINE, seen=Figures({"10.0.0.1": parse(quick)})) == []
