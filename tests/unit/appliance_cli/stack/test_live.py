"""What watch shows, of recorded figures; the real ones are looked at in tests/stack."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from appliance_cli.gpu import card_figures
from appliance_cli.gpu.card_figures import CardNow
from appliance_cli.gpu.planning import MIB
from appliance_cli.stack import figures, live
from appliance_cli.stack.figures import Figures
from appliance_cli.stack.live import Look

CARD = CardNow(0, "GPU-4a", "NVIDIA GeForce RTX 4090", 24564, 16309, 97, 312.4, 450.0, 66)
READY = {
    "state": "ready",
    "message": "Ready",
    "engine": {"model_id": "a/b"},
    "ui": {"replicas": 3, "healthy": 3},
}
DOOR = """
appliance_first_byte_seconds_bucket{route="chat",le="0.5"} %d
appliance_first_byte_seconds_bucket{route="chat",le="+Inf"} %d
appliance_first_byte_seconds_bucket{route="tokenize",le="+Inf"} 900
appliance_running{account="user:alice"} 2
appliance_running{account="-"} 0
"""


def seen(at: float, tokens: float, door: tuple[int, int], cards: tuple[CardNow, ...] = (CARD,)) -> Look:
    gauges = "tgi_batch_current_size 12\ntgi_queue_size 3\n"
    text = f"{gauges}tgi_request_count 40\ntgi_request_generated_tokens_sum {tokens}\n"
    engines = {"10.0.0.1": figures.parse(text), "10.0.0.2": figures.parse(text)}
    read = Figures(engines, figures.parse(DOOR % door))
    return Look(at, READY, (), read, cards)


def shown(content: dict[str, Any]) -> str:
    console = Console(width=140, color_system=None)
    with console.capture() as captured:
        console.print(live.view(content, "gpu"))
    return captured.get()


def test_rates_are_of_all_engines_between_two_looks() -> None:
    content = live.content(seen(10, 1000, (0, 0)), seen(12, 1500, (10, 10)))
    assert content["engine"] == {
        "engines": 2,
        "batch": 24,
        "queue": 6,
        "requests": 80,
        "requests_per_s": 0,
        "tokens_per_s": 500,
    }
    assert content["first_token_s"]["p50"] == pytest.approx(0.25)
    assert content["running_by_account"] == {"user:alice": 2}
    text = shown(content)
    for word in (
        "a/b",
        "16309 of 24564 MiB",
        "97%",
        "312 of 450 W",
        "66",
        "500",
        "3 of 3 chat replicas",
        "alice 2",
    ):
        assert word in text


def test_without_a_card_and_without_figures_the_rest_is_shown() -> None:
    nothing = Look(10, None, (), None, ())
    content = live.content(nothing, nothing)
    assert (content["state"], content["engine"]["batch"], content["cards"]) == ("stopped", None, [])
    assert "No NVIDIA card here" in shown(content)


def test_an_engine_that_began_anew_has_no_rate() -> None:
    content = live.content(seen(10, 1000, (5, 5)), seen(12, 10, (5, 5)))
    assert content["engine"]["tokens_per_s"] is None
    assert content["first_token_s"] == {"p50": None, "p95": None}


def test_an_engine_whose_figures_were_missed_once_makes_no_spike() -> None:
    before, now = seen(10, 1000, (5, 5)), seen(12, 1500, (5, 5))
    assert before.figures is not None
    missed = replace(before.figures, engines={**before.figures.engines, "10.0.0.2": []})
    content = live.content(replace(before, figures=missed), now)
    assert content["engine"]["tokens_per_s"] == 250
    assert content["engine"]["batch"] == 24
    nothing = replace(before.figures, door=[])
    content = live.content(replace(before, figures=nothing), now)
    assert content["first_token_s"] == {"p50": None, "p95": None}


class Refused(Exception):
    pass


def nvml(**changes: Any) -> SimpleNamespace:
    def refuse(*_: object) -> None:
        raise Refused

    usual = {
        "NVMLError": Refused,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda _: "GPU-4a",
        "nvmlDeviceGetName": lambda _: b"NVIDIA GeForce RTX 4090",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=24564 * MIB, used=16309 * MIB),
        "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=97),
        "nvmlDeviceGetPowerUsage": lambda _: 312_400,
        "nvmlDeviceGetEnforcedPowerLimit": lambda _: 450_000,
        "nvmlDeviceGetTemperature": lambda *_: 66,
    }
    return SimpleNamespace(
        **{**usual, **{name: refuse if value is None else value for name, value in changes.items()}}
    )


def test_a_card_is_read_and_what_it_does_not_tell_is_none() -> None:
    assert card_figures.look(nvml()) == (CARD,)
    (silent,) = card_figures.look(nvml(nvmlDeviceGetPowerUsage=None, nvmlDeviceGetUtilizationRates=None))
    assert (silent.power_w, silent.utilisation_percent, silent.temperature_c) == (None, None, 66)
    assert card_figures.look(nvml(nvmlInit=None)) == ()


def test_a_histograms_quantile_is_of_what_it_gained() -> None:
    before = figures.parse('x_bucket{le="1"} 100\nx_bucket{le="2"} 100\nx_bucket{le="+Inf"} 100\n')
    after = figures.parse('x_bucket{le="1"} 100\nx_bucket{le="2"} 110\nx_bucket{le="+Inf"} 110\n')
    assert figures.quantile(0.5, before, after, "x") == pytest.approx(1.5)
    assert figures.quantile(0.5, after, after, "x") is None
