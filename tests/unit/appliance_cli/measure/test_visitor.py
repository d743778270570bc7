"""How a measurement comes in, and that nothing of it stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access, keys
from appliance_cli.door.access import AccessDir
from appliance_cli.door.accounts import Limits
from appliance_cli.measure import visitor


def names(folder: AccessDir) -> list[str]:
    return [entry["name"] for entry in keys.load(folder)]


def test_where_nobody_is_asked_no_key_is_made(appliance: Appliance, folder: AccessDir) -> None:
    with visitor.key(appliance, None) as found:
        assert found is None and names(folder) == []


def test_a_given_key_is_taken(appliance: Appliance, folder: AccessDir, now: datetime) -> None:
    keys.add(folder, "alice", Limits(), None, now)
    with visitor.key(appliance, "sk-given") as found:
        assert found == "sk-given" and names(folder) == ["alice"]


def test_its_own_key_opens_the_door_for_hours_and_goes_away(
    appliance: Appliance, folder: AccessDir, now: datetime
) -> None:
    keys.add(folder, "alice", Limits(), None, now)
    with pytest.raises(KeyboardInterrupt), visitor.key(appliance, None) as found:
        assert found is not None and found.startswith("sk-")
        assert names(folder) == ["alice", visitor.NAME]
        own = keys.load(folder)[1]
        assert not keys.expired(own, datetime.now(UTC))
        assert keys.expired(own, datetime.now(UTC) + visitor.LIFETIME)
        raise KeyboardInterrupt
    assert names(folder) == ["alice"]


def test_what_a_power_cut_left_is_replaced(appliance: Appliance, folder: AccessDir, now: datetime) -> None:
    keys.add(access.of(appliance), visitor.NAME, Limits(), None, now)
    with visitor.key(appliance, None) as found:
        assert found is not None and names(folder) == [visitor.NAME]
    assert names(folder) == []
