"""Publishing the appliance: refused before anything is changed, with the commands that allow it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.door import guard, keys, users
from appliance_cli.door.access import AccessDir
from appliance_cli.door.accounts import Limits

Cli = Callable[..., CompletedProcess[str]]
HASH = "$2b$10$" + "a" * 53
KEYS, USERS = "./scripts/appliance keys add NAME", "./scripts/appliance users add NAME"


def bound(appliance: Appliance, address: str = "0.0.0.0", **values: str) -> Appliance:
    return load(appliance.root, appliance.env_file, {"BIND_ADDRESS": address, **values})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
def test_on_loopback_nobody_has_to_be_asked(address: str, appliance: Appliance, now: datetime) -> None:
    here = bound(appliance, address)
    guard.require_safe(here, now)
    assert guard.is_open_to_programs(here)
    assert guard.is_open_to_people(here)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.4"])
def test_an_open_address_needs_both_a_key_and_a_user(
    address: str, appliance: Appliance, folder: AccessDir, now: datetime
) -> None:
    there = bound(appliance, address)

    def refused_with() -> str:
        with pytest.raises(BadSetting, match="BIND_ADDRESS cannot be used yet") as failure:
            guard.require_safe(there, now)
        assert address in failure.value.found
        return failure.value.remedy

    assert refused_with() == f"{KEYS}\n{USERS}"
    keys.add(folder, "ci", Limits(), now + timedelta(days=1), now)
    assert refused_with() == USERS
    users.add(folder, "alice", HASH, Limits(), now)
    guard.require_safe(there, now)
    assert not guard.is_open_to_programs(there)
    with pytest.raises(BadSetting):  # the key has expired by then
        guard.require_safe(there, now + timedelta(days=1))


def test_single_sign_on_stands_for_users(appliance: Appliance, folder: AccessDir, now: datetime) -> None:
    there = bound(appliance, SSO_URL="http://oauth2-proxy:4180/oauth2/auth")
    with pytest.raises(BadSetting) as failure:
        guard.require_safe(there, now)
    assert failure.value.remedy == KEYS
    keys.add(folder, "ci", Limits(), None, now)
    guard.require_safe(there, now)
    assert not guard.is_open_to_people(there)


@pytest.mark.parametrize("name", ["keys.json", "users.json"])
def test_a_damaged_table_stops_a_start_since_it_would_leave_the_door_open(
    name: str, appliance: Appliance, folder: AccessDir, now: datetime
) -> None:
    with folder.changing():
        folder.write(name, "{")
    with pytest.raises(BadSetting, match=f"{name} is damaged"):
        guard.require_safe(appliance, now)


def test_files_that_cannot_serve_stop_a_start(appliance: Appliance, now: datetime) -> None:
    values = {"TLS": "files", "TLS_CERT_FILE": "no.pem", "TLS_KEY_FILE": "no.pem"}
    with pytest.raises(BadSetting, match="TLS_CERT_FILE cannot be read"):
        guard.require_safe(bound(appliance, "127.0.0.1", **values), now)


def test_getting_ready_makes_the_folder_and_says_when_the_network_can_read_along(
    appliance: Appliance, folder: AccessDir, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    guard.make_ready(appliance, now, Output())
    assert folder.path.is_dir()
    assert capsys.readouterr().err == ""
    guard.make_ready(bound(appliance, "192.168.1.4"), now, Output())
    assert "TLS is off on 192.168.1.4" in capsys.readouterr().err
    guard.make_ready(bound(appliance, "192.168.1.4", TLS="self-signed"), now, Output())
    assert "Certificate for" in capsys.readouterr().err
    assert (folder.path / "tls" / "server.pem").exists()


@pytest.mark.parametrize("command", ["up", "prepare"])
def test_the_command_stops_before_it_looks_further(command: str, cli: Cli, tmp_path: Path) -> None:
    done = cli(command, BIND_ADDRESS="0.0.0.0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip().startswith("✗ BIND_ADDRESS cannot be used yet")
    assert f"{KEYS} --env-file {tmp_path}/appliance.env" in done.stderr
    assert f"{USERS} --env-file {tmp_path}/appliance.env" in done.stderr
    assert "Looking at this host" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["appliance.env"]


def test_nginx_must_run_as_whoever_writes_the_files(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    there = load(appliance.root, appliance.env_file, {"APPLIANCE_USER": "1000:1000"})
    with pytest.raises(BadSetting) as failure:
        guard.require_own_user(there)
    assert failure.value.found == "APPLIANCE_USER=1000:1000"
    assert "APPLIANCE_USER=1234:" in failure.value.remedy
    guard.require_own_user(load(appliance.root, appliance.env_file, {"APPLIANCE_USER": "1234:5"}))


def test_what_was_put_right_is_said(
    appliance: Appliance, folder: AccessDir, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.add(folder, "ci", Limits(), None, now)
    guard.mend(appliance, Output())
    assert capsys.readouterr().err == ""
    (folder.path / "keys.json").chmod(0o666)
    guard.mend(appliance, Output())
    assert "nginx can read: keys.json" in capsys.readouterr().err
