"""The door's appliance: what is accepted, and which addresses follow from them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.config.door import Owner


def with_values(appliance: Appliance, **values: str) -> Appliance:
    return load(appliance.root, appliance.env_file, values)


def test_the_defaults_are_open_only_to_this_machine(appliance: Appliance) -> None:
    assert appliance.loopback
    assert appliance.access_dir == appliance.root / "nginx" / "access"
    assert appliance.owner == Owner(10001, 10001)
    assert (appliance.tls.mode, appliance.tls.on, appliance.sso_url) == ("off", False, None)


def test_a_relative_folder_is_meant_from_the_repository_as_compose_means_it(appliance: Appliance) -> None:
    assert with_values(appliance, ACCESS_DIR="./mine").access_dir == appliance.root / "mine"
    assert with_values(appliance, ACCESS_DIR="/srv/access").access_dir == Path("/srv/access")


@pytest.mark.parametrize(
    ("address", "tls", "url"),
    [
        ("127.0.0.1", "off", "http://127.0.0.1:8080"),
        ("::1", "off", "http://[::1]:8080"),
        ("0.0.0.0", "off", "http://127.0.0.1:8080"),
        ("::", "self-signed", "https://[::1]:8080"),
        ("192.168.1.4", "self-signed", "https://192.168.1.4:8080"),
    ],
)
def test_this_host_talks_to_an_address_that_leads_to_itself(
    address: str, tls: str, url: str, appliance: Appliance
) -> None:
    assert with_values(appliance, BIND_ADDRESS=address, TLS=tls, TLS_NAMES="chat.example").url == url


@pytest.mark.parametrize(
    ("values", "host"),
    [
        ({"BIND_ADDRESS": "127.0.0.1", "TLS": "self-signed", "TLS_NAMES": "chat.example"}, "127.0.0.1"),
        ({"BIND_ADDRESS": "192.168.1.4"}, "192.168.1.4"),
        ({"BIND_ADDRESS": "192.168.1.4", "TLS_NAMES": "chat.example"}, "192.168.1.4"),
        ({"BIND_ADDRESS": "0.0.0.0"}, "the-box"),
        ({"BIND_ADDRESS": "::"}, "the-box"),
        (
            {"BIND_ADDRESS": "::", "TLS": "self-signed", "TLS_NAMES": "*.a.example,chat.example"},
            "chat.example",
        ),
        ({"BIND_ADDRESS": "0.0.0.0", "TLS": "self-signed", "TLS_NAMES": "fd00::1"}, "[fd00::1]"),
    ],
)
def test_people_are_told_a_name_that_leads_here(
    values: dict[str, str], host: str, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "the-box")
    assert with_values(appliance, **values).public_url.partition("://")[2] == f"{host}:8080"


def test_names_are_cleaned_and_kept_once(appliance: Appliance) -> None:
    named = with_values(
        appliance, TLS_NAMES=" Chat.Example, 10.0.0.5,[fd00::1],bücher.example,chat.example,, "
    )
    assert named.tls.names == ("chat.example", "10.0.0.5", "fd00::1", "xn--bcher-kva.example")


BAD = [
    ({"TLS": "on"}, "TLS cannot be used", "off, self-signed or files"),
    ({"TLS": "files"}, "TLS=files needs its files", "TLS_CERT_FILE"),
    ({"TLS": "files", "TLS_CERT_FILE": "/x"}, "TLS=files needs its files", "TLS_KEY_FILE"),
    ({"TLS_NAMES": "two words"}, "TLS_NAMES cannot be used", "host names and addresses"),
    ({"TLS_NAMES": "a..b"}, "TLS_NAMES cannot be used", "host names and addresses"),
    ({"APPLIANCE_USER": "alice"}, "APPLIANCE_USER cannot be used", "1000:1000"),
    ({"SSO_URL": "oauth2-proxy:4180"}, "SSO_URL cannot be used", "http://oauth2-proxy"),
    ({"SSO_URL": "http://"}, "SSO_URL cannot be used", "http or https URL"),
    ({"SSO_URL": "http://a:99999/"}, "SSO_URL cannot be used", "http or https URL"),
    ({"SSO_URL": "http://a/;return 200"}, "SSO_URL cannot be used", "http or https URL"),
    ({"SSO_URL": "http://a/$request_uri"}, "SSO_URL cannot be used", "http or https URL"),
    ({"SSO_URL": "http://user:secret@a/"}, "SSO_URL cannot be used", "a password"),
]


@pytest.mark.parametrize(("values", "title", "expected"), BAD)
def test_a_value_that_cannot_work_is_refused_with_what_would(
    values: dict[str, str], title: str, expected: str, appliance: Appliance
) -> None:
    with pytest.raises(BadSetting) as failure:
        with_values(appliance, **values)
    assert failure.value.title == title
    assert expected in failure.value.expected
    assert failure.value.remedy


def test_commands_are_named_so_that_they_reach_this_appliance(appliance: Appliance, tmp_path: Path) -> None:
    other = load(appliance.root, tmp_path / "my other.env")
    assert appliance.command("keys add NAME") == "./scripts/appliance keys add NAME"
    assert other.command("up") == f"./scripts/appliance up --env-file '{tmp_path}/my other.env'"
