"""Under which addresses others reach the page, and how a person over SSH does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.door import Tls
from appliance_cli.host import addresses
from appliance_cli.stack.lifecycle import announce

LINKS = [
    {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]},
    {"ifname": "br-1a2b", "addr_info": [{"local": "172.18.0.1"}]},
    {
        "ifname": "eth0",
        "addr_info": [
            {"local": "2001:db8::1"},
            {"local": "2001:db8::2", "temporary": True},
            {"local": "192.0.2.10"},
        ],
    },
    {"ifname": "wlan0", "addr_info": [{"local": "198.51.100.7"}, {}]},
]


def test_bridges_of_containers_and_temporary_addresses_are_left_out() -> None:
    assert addresses.parse(json.dumps(LINKS)) == ("192.0.2.10", "198.51.100.7", "2001:db8::1")
    assert addresses.parse("") == addresses.parse("ip: unknown option") == ()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "of_host", lambda: addresses.parse(json.dumps(LINKS)))


@pytest.mark.usefixtures("host")
def test_only_a_listener_on_every_address_has_more_than_one(appliance: Appliance) -> None:
    def urls(address: str, tls: str = "off") -> tuple[str, ...]:
        return addresses.urls(replace(appliance, bind_address=address, tls=Tls(tls, None, None, ())))  # type: ignore[arg-type]

    assert urls("127.0.0.1") == urls("192.0.2.10") == ()
    assert urls("0.0.0.0") == ("http://192.0.2.10:8080", "http://198.51.100.7:8080")
    assert urls("::", "self-signed")[-1] == "https://[2001:db8::1]:8080"


@pytest.mark.usefixtures("host")
def test_up_names_them_and_the_tunnel(
    appliance: Appliance, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.9 50000 192.0.2.10 22")
    monkeypatch.setenv("USER", "alice")
    monkeypatch.delenv("SUDO_USER", raising=False)
    announce(appliance, {}, Output())
    told = capsys.readouterr()
    assert "ssh -L 8080:127.0.0.1:8080 alice@192.0.2.10   then open http://127.0.0.1:8080/ there" in told.err
    announce(replace(appliance, bind_address="0.0.0.0"), {}, Output())
    told = capsys.readouterr()
    assert "http://198.51.100.7:8080/" in told.out and "ssh" not in told.err


def test_the_tunnel_of_another_port_family_and_person(appliance: Appliance) -> None:
    environ = {"SSH_CONNECTION": "2001:db8::9 50000 2001:db8::1 2222", "USER": "root", "SUDO_USER": "bob"}
    assert addresses.tunnel(appliance, environ) == "ssh -p 2222 -L 8080:127.0.0.1:8080 bob@[2001:db8::1]"
    assert addresses.tunnel(appliance, {}) is None
    assert addresses.tunnel(replace(appliance, bind_address="192.0.2.10"), environ) is None
