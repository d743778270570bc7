"""Modes, what they exclude, and the generated Compose file, rendered by Compose."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.config.table import default_of
from appliance_cli.gpu import compose_file, modes
from appliance_cli.gpu import settings as gpu_settings
from appliance_cli.gpu.modes import MODES
from appliance_cli.gpu.planning import GIB, cards
from appliance_cli.gpu.planning.architecture import Architecture
from appliance_cli.gpu.planning.weights import tgi_weights
from appliance_cli.gpu.settings import parse
from harness.planned_models import known

REPO = Path(__file__).resolve().parents[4]
CARD = cards.by_name("RTX 4090")


def validated(card: cards.Card = CARD, count: int | None = None, **values: str) -> tuple[str, ...]:
    settings = parse(values)
    chosen = [card] * (settings.cards_needed if count is None else count)
    return gpu_settings.validate(settings, known(settings.model_id), chosen)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_each_mode_goes_with_its_own_default_model(mode: modes.Mode) -> None:
    assert validated(MODE=mode.name) == ()
    planned = tgi_weights(known(mode.model_id), mode.format_).total / GIB
    assert planned == pytest.approx(mode.weights_gib, abs=0.05)


def test_a_dtype_is_given_only_where_tgi_takes_it() -> None:
    """TGI 3.3.7, cli.py: with a `quantize` other than bitsandbytes' it refuses any `dtype`."""
    with_dtype = {mode.name for mode in MODES.values() if mode.dtype}
    assert with_dtype == {"nf4", "bf16"}


@pytest.mark.parametrize(
    ("values", "title", "found"),
    [
        ({"MODE": "int4"}, "MODE cannot be used", "'int4'"),
        (
            {"MODE": "awq", "MODEL_ID": "Qwen/Qwen2.5-7B-Instruct"},
            "MODE=awq needs",
            "Cannot load `awq` weight",
        ),
        ({"MODE": "gptq", "MODEL_ID": "Qwen/Qwen2.5-7B-Instruct-AWQ"}, "MODE=gptq needs", "AWQ: awq"),
        ({"MODEL_ID": "Qwen/Qwen2.5-7B-Instruct-AWQ"}, "MODE=nf4 needs an unquantised", "AWQ: awq"),
        ({"FAST_NF4": "2"}, "FAST_NF4 cannot be used", "'2'"),
        ({"KV_CACHE_DTYPE": "fp8"}, "KV_CACHE_DTYPE cannot be used", "'fp8'"),
        ({"SPECULATE": "-1"}, "SPECULATE cannot be used", "'-1'"),
        ({"SPECULATE": "three"}, "SPECULATE cannot be used", "'three'"),
        ({"CUDA_MEMORY_FRACTION": "72"}, "CUDA_MEMORY_FRACTION cannot be used", "'72'"),
        ({"TARGET_VRAM": "nan"}, "TARGET_VRAM cannot be used", "'nan'"),
        ({"LORA_ADAPTERS": "someone/adapter"}, "LORA_ADAPTERS cannot be used", "'someone/adapter'"),
        ({"LORA_ADAPTERS": "a=b c"}, "LORA_ADAPTERS cannot be used", "'a=b c'"),
        ({"MAX_INPUT_TOKENS": "100", "MAX_TOTAL_TOKENS": "100"}, "MAX_INPUT_TOKENS cannot be used", "100"),
        (
            {"SPECULATE": "2", "MAX_INPUT_TOKENS": "4000", "MAX_BATCH_PREFILL_TOKENS": "2000"},
            "MAX_BATCH_PREFILL_TOKENS cannot be used with SPECULATE",
            "2000",
        ),
        ({"TENSOR_PARALLEL": "3"}, "TENSOR_PARALLEL cannot be used", "28 attention heads"),
        ({"TENSOR_PARALLEL": "7"}, "TENSOR_PARALLEL cannot be used", "4 key/value heads"),
        ({"TGI_REPLICAS": "0"}, "TGI_REPLICAS cannot be used", "'0'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    values: dict[str, str], title: str, found: str
) -> None:
    with pytest.raises(BadSetting) as refusal:
        validated(CARD, None, **values)
    assert refusal.value.title.startswith(title)
    assert found in refusal.value.found
    assert refusal.value.expected and refusal.value.remedy


def test_the_fp8_cache_needs_heads_that_flashinfer_knows() -> None:
    odd = known("Qwen/Qwen2.5-7B-Instruct")
    settings = parse({"KV_CACHE_DTYPE": "fp8_e4m3fn"})
    object.__setattr__(odd_copy := Architecture(**vars(odd)), "head_dim", 96)
    with pytest.raises(BadSetting, match="with this model") as refusal:
        gpu_settings.validate(settings, odd_copy, [CARD])
    assert "FP8 KV cache is currently only supported for flashinfer" in refusal.value.expected


def test_older_cards_are_refused_and_newer_ones_warned_of() -> None:
    with pytest.raises(BadSetting, match="does not run on T4"):
        validated(cards.by_name("T4"))
    (warning,) = validated(cards.by_name("RTX 5090"))
    assert "12.0" in warning and "FAST_NF4" not in warning
    assert "remove FAST_NF4=0" in validated(cards.by_name("RTX 5090"), FAST_NF4="0")[0]
    assert validated(cards.by_memory(24)) == ()


def test_what_a_choice_switches_off_is_said() -> None:
    assert "no prefix cache, and no CUDA graphs" in validated(LORA_ADAPTERS="sql=adapters/sql")[0]
    assert "prefilled in one step" in validated(SPECULATE="3")[0]


def test_cards_are_counted_and_compared() -> None:
    with pytest.raises(BadSetting, match="too few cards") as refusal:
        validated(count=2, TGI_REPLICAS="2", TENSOR_PARALLEL="2")
    assert refusal.value.expected.startswith("4")
    settings = parse({"TENSOR_PARALLEL": "2"})
    unequal = [CARD, cards.by_name("RTX 4080")]
    with pytest.raises(BadSetting, match="needs equal cards"):
        gpu_settings.validate(settings, known(settings.model_id), unequal)
    settings = parse({"TGI_REPLICAS": "2"})
    assert gpu_settings.validate(settings, known(settings.model_id), unequal) == ()


# --- the generated file


def rendered(tmp_path: Path, **values: str) -> dict[str, Any]:
    """`docker compose config` of docker-compose.yml and the generated file, in a folder of their own."""
    shutil.copy2(REPO / "docker-compose.yml", tmp_path / "docker-compose.yml")
    settings = parse(values)
    devices = [f"GPU-{number}" for number in range(settings.cards_needed)]
    text = compose_file.override(settings, {"CUDA_MEMORY_FRACTION": "0.97"}, devices)
    name = compose_file.file_name("p")
    (tmp_path / name).write_text(text)
    arguments = ["-f", "docker-compose.yml", "-f", name, "--profile", "monitoring"]
    command = ["docker", "compose", "--env-file", os.devnull, *arguments, "config", "--format", "json"]
    clean = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def test_the_generated_default_is_what_docker_compose_yml_says(tmp_path: Path) -> None:
    """One list of flags in two places: they must not drift apart."""
    services = rendered(tmp_path)
    command = [
        "docker",
        "compose",
        "--env-file",
        os.devnull,
        "-f",
        "docker-compose.yml",
        "config",
        "--format",
        "json",
    ]
    plain = json.loads(subprocess.check_output(command, cwd=tmp_path, text=True))["services"]["tgi"]
    made = services["tgi"]
    assert [flag for flag in made["command"] if "fraction" not in flag] == [
        flag for flag in plain["command"] if "fraction" not in flag
    ]
    for key in ("image", "volumes", "tmpfs", "healthcheck", "networks", "environment", "mem_limit"):
        assert made[key] == plain[key], key


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_each_modes_flags_and_model(mode: modes.Mode, tmp_path: Path) -> None:
    services = rendered(tmp_path, MODE=mode.name)
    command = services["tgi"]["command"]
    assert [flag for flag in command if flag.startswith(("--quantize", "--dtype"))] == list(mode.flags)
    assert f"--model-id={mode.model_id}" in command
    assert services["model-init"]["environment"]["MODEL_ID"] == mode.model_id
    assert "--cuda-memory-fraction=0.97" in command


def test_graphs_are_always_written_as_far_as_planned(tmp_path: Path) -> None:
    settings = parse({})
    command = compose_file.command(settings, {}, (1, 2, 4, 8))
    assert "--cuda-graphs=1,2,4,8" in command
    assert "--cuda-graphs=1,2,4,8,16,32,48,64,96,128" in rendered(tmp_path)["tgi"]["command"]


def test_no_answer_runs_without_a_graph_by_default(tmp_path: Path) -> None:
    """TGI 3.3.7 bounds a batch by --max-concurrent-requests alone while it joins batches in chunks."""
    for values in ({}, {"MODE": "bf16"}):
        flags = dict(
            flag.split("=", 1) for flag in rendered(tmp_path, **values)["tgi"]["command"] if "=" in flag
        )
        assert int(flags["--max-concurrent-requests"]) <= int(flags["--cuda-graphs"].split(",")[-1])


def test_target_vram_takes_a_word_for_the_whole_card() -> None:
    assert parse({"TARGET_VRAM": "all"}) == parse({})
    with pytest.raises(BadSetting, match="TARGET_VRAM cannot be used"):
        parse({"TARGET_VRAM": "everything"})


def test_the_extras_flags(tmp_path: Path) -> None:
    values = {"LORA_ADAPTERS": "a=x/a,b=x/b", "SPECULATE": "3", "KV_CACHE_DTYPE": "fp8_e5m2"}
    command = rendered(tmp_path, **values)["tgi"]["command"]
    assert {
        "--lora-adapters=a=x/a,b=x/b",
        "--cuda-graphs=0",
        "--speculate=3",
        "--kv-cache-dtype=fp8_e5m2",
    } <= set(command)


def test_an_engine_a_card_each_pinned_under_one_name(tmp_path: Path) -> None:
    services = rendered(tmp_path, TGI_REPLICAS="2", TENSOR_PARALLEL="2")
    engines = [services[name] for name in compose_file.engine_names(2)]
    cards_of = [
        engine["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for engine in engines
    ]
    assert cards_of == [["GPU-0", "GPU-1"], ["GPU-2", "GPU-3"]]
    (watched,) = services["gpu-metrics"]["deploy"]["resources"]["reservations"]["devices"]
    assert watched["device_ids"] == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]
    assert [len(engine["deploy"]["resources"]["reservations"]["devices"]) for engine in engines] == [1, 1]
    assert all("--num-shard=2" in engine["command"] for engine in engines)
    assert {engine["image"] for engine in engines} == {default_of("TGI_IMAGE")}
    assert [engine["networks"] for engine in engines] == [
        {"backend": None},  # its service's name is tgi
        {"backend": {"aliases": ["tgi"]}},
    ]
    same = ("environment", "volumes", "tmpfs", "healthcheck", "depends_on", "stop_grace_period", "command")
    for key in same:
        assert engines[0][key] == engines[1][key], key


@pytest.mark.parametrize(
    ("values", "fast", "fetched"),
    [
        ({}, True, None),
        ({"FAST_NF4": "1"}, True, None),
        ({"FAST_NF4": "0"}, False, None),
        ({"MODE": "bf16"}, False, "0"),
        ({"MODE": "awq", "FAST_NF4": "1"}, False, "0"),
    ],
)
def test_the_fast_kernels_are_the_default_of_the_one_mode_that_calls_them(
    tmp_path: Path, values: dict[str, str], fast: bool, fetched: str | None
) -> None:
    assert parse(values).fast_nf4 is fast
    services = rendered(tmp_path, **values)
    assert services["model-init"]["environment"]["FAST_NF4"] == fetched
