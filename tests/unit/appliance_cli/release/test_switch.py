"""Which containers a release replaces, and how many there are while it does."""

from __future__ import annotations

from typing import Any

import pytest

from appliance_cli.compose.containers import Container
from appliance_cli.release import composed, switch

BRIDGE = "com.docker.network.bridge.inhibit_ipv4"


def ui(number: int, service: str = "ui") -> Container:
    return Container(f"{service}{number}", f"p-{number}", service, "i", "running", "healthy", 0, 0, "")


def attrs(digest: str = "d1", image: str = "sha256:1") -> dict[str, Any]:
    return {"Image": image, "Config": {"Labels": {"com.docker.compose.config-hash": digest}}}


@pytest.mark.parametrize(
    ("found", "wanted", "image", "anew"),
    [
        (attrs(), "d1", "sha256:1", False),
        (attrs(), "d2", "sha256:1", True),
        (attrs(), "d1", "sha256:2", True),
        (attrs(), None, "sha256:1", True),
        (attrs(), "d1", "", True),
    ],
)
def test_another_definition_or_another_image_is_outdated(
    found: dict[str, Any], wanted: str | None, image: str, anew: bool
) -> None:
    assert switch.outdated(found, wanted, image) is anew


def test_for_a_while_there_are_the_old_and_as_many_new_ones_as_are_wanted() -> None:
    old = [ui(1), ui(2), ui(3), ui(1, "openai-api"), ui(2, "openai-api")]
    assert switch.to_have(old, old, {"ui": 5, "openai-api": 2, "tgi": 1}) == {"ui": 8, "openai-api": 4}


def test_going_back_what_is_still_there_of_the_former_release_counts() -> None:
    staying, leaving = [ui(1), ui(2), ui(3)], [ui(4)]
    assert switch.to_have([*staying, *leaving], leaving, {"ui": 3}) == {"ui": 4}


@pytest.mark.parametrize(
    ("service", "count"), [({"deploy": {"replicas": 3}}, 3), ({"scale": 2}, 2), ({"deploy": {}}, 1), ({}, 1)]
)
def test_how_many_there_shall_be(service: dict[str, Any], count: int) -> None:
    assert composed.replicas(service) == count


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        ({"Internal": True, "Options": None}, {"internal": True}, True),
        ({"Internal": True, "Options": {}}, {"internal": True, "driver_opts": {BRIDGE: "true"}}, False),
        ({"Internal": True, "Options": {BRIDGE: "true"}}, {"internal": True}, False),
        ({"Internal": False, "Options": {}}, {"internal": True}, False),
        (
            {"Internal": False, "Options": {BRIDGE: "true", "com.docker.network.enable_ipv4": "true"}},
            {"driver_opts": {BRIDGE: "true"}},
            True,
        ),
    ],
)
def test_a_network_of_another_definition_is_made_anew(
    found: dict[str, Any], wanted: dict[str, Any], same: bool
) -> None:
    assert composed.same_network(found, wanted) is same
