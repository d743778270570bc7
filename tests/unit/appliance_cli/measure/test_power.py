"""Which cards are measured, by a driver of this test with three of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from appliance_cli.compose.containers import Container
from appliance_cli.measure import power
from appliance_cli.measure.power import Meter, cards_of

CARDS = {"GPU-a": 100_000, "GPU-b": 200_000, "GPU-c": 400_000}


class Refused(Exception):
    pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often NVML was started and ended."""
    said: list[str] = []

    def by_uuid(uuid: str) -> str:
        if uuid not in CARDS:
            raise Refused
        return uuid

    driver = SimpleNamespace(
        NVMLError=Refused,
        nvmlInit=lambda: said.append("init"),
        nvmlShutdown=lambda: said.append("shutdown"),
        nvmlDeviceGetCount=lambda: len(CARDS),
        nvmlDeviceGetHandleByIndex=lambda index: list(CARDS)[index],
        nvmlDeviceGetHandleByUUID=by_uuid,
        nvmlDeviceGetPowerUsage=CARDS.__getitem__,
    )
    monkeypatch.setattr(power, "nvml", driver)
    return said


@pytest.mark.parametrize(
    ("cards", "watts"),
    [(("1",), 200.0), (("GPU-a", "GPU-c"), 500.0), ((), None), (("GPU-gone",), None)],
)
def test_the_named_cards_alone_are_measured_and_the_driver_is_let_go(
    cards: tuple[str, ...], watts: float | None, opened: list[str]
) -> None:
    assert Meter(cards).now(0) == watts
    assert opened == ["init", "shutdown"]


def test_the_cards_are_those_of_the_engines() -> None:
    def container(service: str, *cards: str) -> Container:
        return Container("id", service, service, "image", "running", "", 0, 0, "", cards=cards)

    found = (container("tgi", "GPU-b"), container("tgi-2", "GPU-b", "2"), container("dcgm", "GPU-a"))
    assert cards_of(found) == ("GPU-b", "2")
