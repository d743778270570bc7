"""Where the container toolkit comes from, whose key is trusted for it, and what is left when it fails."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.config.table import default_of
from appliance_cli.host import dockerd, drivers, toolkit
from appliance_cli.host.toolkit import APTS_OWN

REPO = Path(__file__).resolve().parents[4]
# Made by gpg, with what it calls their fingerprints.
OURS = "A58A40D71D5829356C097C8AB5CD2B9075122724"
OUR_KEY = b"""-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawmvxxYJKwYBBAHaRw8BAQdA+YWCuiHRcpQ7fKPF9MU8W3pk1vrXJNhPPBQU
Z5IYO520J1Rvb2xraXQgb2YgYSB0ZXN0IDx0b29sa2l0QGV4YW1wbGUub3JnPoiQ
BBMWCAA4FiEEpYpA1x1YKTVsCXyKtc0rkHUSJyQFAmsJr8cCGwMFCwkIBwIGFQoJ
CAsCBBYCAwECHgECF4AACgkQtc0rkHUSJySedwEA3+iSqHEB3oY6TKujsdYz4cVj
Dq3okCAdI0zRQggbcKkBAPHVBHwaJwgeB4IgtBY++jhnobd4/deOP5/pK86KRQsF
=5/3N
-----END PGP PUBLIC KEY BLOCK-----
"""
BOTH_KEYS = b"""-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawmvxxYJKwYBBAHaRw8BAQdA+YWCuiHRcpQ7fKPF9MU8W3pk1vrXJNhPPBQU
Z5IYO520J1Rvb2xraXQgb2YgYSB0ZXN0IDx0b29sa2l0QGV4YW1wbGUub3JnPoiQ
BBMWCAA4FiEEpYpA1x1YKTVsCXyKtc0rkHUSJyQFAmsJr8cCGwMFCwkIBwIGFQoJ
CAsCBBYCAwECHgECF4AACgkQtc0rkHUSJySedwEA3+iSqHEB3oY6TKujsdYz4cVj
Dq3okCAdI0zRQggbcKkBAPHVBHwaJwgeB4IgtBY++jhnobd4/deOP5/pK86KRQsF
mDMEawmvxxYJKwYBBAHaRw8BAQdA/kKXjv06NBBOQgwTgcK5s5MCaAr7Hqnx9d5k
UfRcXEi0IFNvbWVib2R5IGVsc2UgPGVsc2VAZXhhbXBsZS5vcmc+iJAEExYIADgW
IQQ7iEXvL/L4N3PVDv4RG8EXGvmcRQUCawmvxwIbAwULCQgHAgYVCgkICwIEFgID
AQIeAQIXgAAKCRARG8EXGvmcRabCAQD07AEH+esN+WBrmfYXoEVtr+rBRmVdMZc3
HI7wQacO9QD+Ofdsukh54H4iPsHIPFHITpxvpTFM76/hRzAgko7vwQY=
=Ky63
-----END PGP PUBLIC KEY BLOCK-----
"""


class Answers(BaseHTTPRequestHandler):
    """A repository whose key is ``key``; None is a 404."""

    key: ClassVar[bytes | None] = OUR_KEY

    def do_GET(self) -> None:
        there = self.key if self.path == "/toolkit/gpgkey" else None
        self.send_response(200 if there else 404)
        self.end_headers()
        self.wfile.write(there or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(toolkit, "SIGNER", OURS)
    monkeypatch.setattr(Answers, "key", OUR_KEY)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/toolkit/"
        server.shutdown()
        thread.join()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose apt knows no toolkit; what its programs are called with stands in ``called``."""
    (tmp_path / "bin").mkdir()
    for name in ("apt-get", "apt-cache", "nvidia-ctk"):
        program(tmp_path, name, "true")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(drivers, "KEYRING", str(tmp_path / "keyrings/toolkit.asc"))
    monkeypatch.setattr(drivers, "APT_SOURCE", str(tmp_path / "toolkit.list"))
    return tmp_path


def program(host: Path, name: str, does: str) -> None:
    path = host / "bin" / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> {host}/called\n{does}\n')
    path.chmod(0o755)


def called(host: Path) -> str:
    return (host / "called").read_text()


def test_what_apt_knows_is_taken_from_there(host: Path, repository: str) -> None:
    program(host, "apt-cache", "echo '  Candidate: 1.18.0-1'")
    assert toolkit.source(repository) == APTS_OWN
    toolkit.install(APTS_OWN, Output(), host / "log")
    assert not Path(drivers.APT_SOURCE).exists()
    assert "apt-get -o" in called(host)


def test_a_list_that_is_there_is_left_as_it_is(host: Path, repository: str) -> None:
    Path(drivers.APT_SOURCE).write_text("deb somewhere")
    assert toolkit.source(repository) == APTS_OWN


@pytest.mark.parametrize("policy", ["", "echo '  Candidate: (none)'"])
def test_what_apt_does_not_know_comes_from_the_repository(policy: str, host: Path, repository: str) -> None:
    program(host, "apt-cache", policy)
    assert toolkit.source(repository) == repository


def test_a_repository_that_does_not_answer_is_none(
    host: Path, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert toolkit.source("http://127.0.0.1:9/") == ""
    monkeypatch.setattr(Answers, "key", None)
    assert toolkit.source(repository) == ""


def test_it_is_installed_and_docker_told(host: Path, repository: str) -> None:
    toolkit.install(repository, Output(), host / "log")
    assert Path(drivers.KEYRING).read_bytes() == OUR_KEY
    expected = f"deb [signed-by={drivers.KEYRING}] {repository.rstrip('/')}/stable/deb/amd64 /\n"
    assert Path(drivers.APT_SOURCE).read_text() == expected
    update, install, configure = called(host).splitlines()
    assert update.endswith(" update")
    assert install.endswith(" nvidia-container-toolkit")
    assert configure == "nvidia-ctk runtime configure --runtime=docker"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (BOTH_KEYS, r"A58A\w+, 3B88\w+$"),
        (OUR_KEY + OUR_KEY, "no key"),
        (b"<html>", "no key"),
        (OUR_KEY[:300], "no key"),
    ],
)
def test_a_repository_with_any_other_key_is_refused(
    key: bytes, found: str, host: Path, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "key", key)
    with pytest.raises(StepFailed, match="is not NVIDIA's") as failure:
        toolkit.install(repository, Output(), host / "log")
    assert re.fullmatch(found, failure.value.found)
    assert not Path(drivers.APT_SOURCE).exists()
    assert not (host / "called").exists()


def test_a_repository_that_apt_cannot_use_is_taken_out_again(host: Path, repository: str) -> None:
    program(host, "apt-get", "exit 100")
    with pytest.raises(StepFailed):
        toolkit.install(repository, Output(), host / "log")
    assert not Path(drivers.APT_SOURCE).exists()
    assert not Path(drivers.KEYRING).exists()


def test_packets_of_both_forms_are_read() -> None:
    """RFC 4880, 4.2: lengths of one, two and four octets, and the newer form's of one, two and five."""
    body = bytes(200)
    old = b"\x98\x01A" + b"\x99\x00\x01B" + b"\x9a\x00\x00\x00\x01C"
    new = b"\xc6\x01D" + b"\xc6\xc0\x08" + body + b"\xc6\xff\x00\x00\x00\x01E"
    found = list(toolkit._packets(old + new))
    assert found == [(6, b"A"), (6, b"B"), (6, b"C"), (6, b"D"), (6, body), (6, b"E")]


@pytest.mark.parametrize("systemd", [True, False])
def test_a_running_docker_is_restarted_by_systemd_alone(
    systemd: bool, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(host, "systemctl", "true")
    monkeypatch.setattr(dockerd, "SYSTEMD", host if systemd else host / "none")
    monkeypatch.setattr(dockerd, "connect", lambda **_: (object(), None))
    if systemd:
        dockerd.restart_if_running(Output())
        assert called(host) == "systemctl restart docker\n"
    else:
        with pytest.raises(StepFailed) as failure:
            dockerd.restart_if_running(Output())
        assert "sudo service docker restart" in failure.value.remedy


def test_a_docker_that_does_not_run_is_left_to_its_start(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dockerd, "connect", lambda: (None, "stopped"))
    dockerd.restart_if_running(Output())
    assert not (host / "called").exists()


@pytest.mark.parametrize("page", ["docs/install.md", "docs/zh/install.md"])
def test_the_page_has_the_commands_that_errors_name(page: str) -> None:
    text = (REPO / page).read_text(encoding="utf-8")
    ways = [command for way in drivers.DRIVERS for command in way.commands]
    for command in (*ways, *drivers.toolkit_commands(default_of("TOOLKIT_REPOSITORY")), drivers.GENERATE):
        assert f"{command}\n" in text
