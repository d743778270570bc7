"""What stands beside the measured figures: the plan for this host's card, and its roofline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance_cli.base.errors import HostNotReady
from appliance_cli.config.appliance import Appliance
from appliance_cli.gpu import cards_here
from appliance_cli.gpu.cards_here import Gpu, Gpus
from appliance_cli.gpu.planning import MIB
from appliance_cli.measure import expected

RTX_4090 = Gpu(0, "GPU-0", "NVIDIA GeForce RTX 4090", 24564 * MIB, 20_000 * MIB, 400 * MIB, (8, 9), ())


@pytest.fixture
def on_gpu(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> Appliance:
    monkeypatch.setattr(cards_here, "look", lambda: Gpus("575", (RTX_4090,)))
    return replace(appliance, engine="gpu")


def test_an_rtx_4090_s_roofline_is_its_bandwidth_over_the_weights(on_gpu: Appliance) -> None:
    planned, roofline = expected.of(on_gpu, 512, 256, (1,))
    assert roofline.who == "roofline of 1 on NVIDIA GeForce RTX 4090"
    assert roofline.each == pytest.approx(1008e9 / (4.14 * 2**30), rel=0.03)  # 226 tokens/s
    assert planned.each is not None and roofline.each is not None
    assert 0.3 * roofline.each < planned.each < roofline.each
    assert planned.first_token is not None and 0.05 < planned.first_token < 0.5


def test_each_crowd_has_its_own_and_none_passes_its_roofline(on_gpu: Appliance) -> None:
    found = expected.of(on_gpu, 512, 256, (1, 4, 64))
    assert len(found) == 6
    for planned, roofline in zip(found[::2], found[1::2], strict=True):
        assert planned.together is not None and roofline.together is not None
        assert planned.together < roofline.together


def test_a_host_without_a_card_has_none(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Gpus:
        raise HostNotReady("t", expected="e", found="f", remedy="r")

    monkeypatch.setattr(cards_here, "look", none)
    assert expected.of(appliance, 512, 256, (1,)) == ()
    assert expected.of(replace(appliance, engine="gpu"), 512, 256, (1,)) == ()
