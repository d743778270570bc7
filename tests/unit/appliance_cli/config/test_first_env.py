"""What the host says about its certificates and package index."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.config import first_env


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "ca-certificates.crt"
    path.write_text("PEM")
    return path


def test_a_host_without_own_cas_needs_no_bundle(tmp_path: Path, bundle: Path) -> None:
    assert first_env.ca_bundle({}, tmp_path / "none", bundle) is None


def test_a_locally_added_ca_makes_the_systems_bundle_needed(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "local" / "company").mkdir(parents=True)
    (tmp_path / "local" / "company" / "proxy.crt").write_text("PEM")
    assert first_env.ca_bundle({}, tmp_path / "local", bundle) == str(bundle)


def test_a_bundle_of_its_own_named_in_the_environment_is_used(tmp_path: Path, bundle: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text("PEM")
    assert first_env.ca_bundle({"SSL_CERT_FILE": str(own)}, tmp_path / "none", bundle) == str(own)


def test_the_usual_bundle_or_a_missing_file_in_the_environment_means_nothing(
    tmp_path: Path, bundle: Path
) -> None:
    environ = {"PIP_CERT": str(tmp_path / "gone.pem"), "SSL_CERT_FILE": str(bundle)}
    assert first_env.ca_bundle(environ, tmp_path / "none", bundle) is None


@pytest.mark.parametrize(
    ("listing", "index"),
    [
        ("global.index-url='https://mirror.example/simple'\n", "https://mirror.example/simple"),
        ("global.cert='/x'\n:env:.index-url='https://a.example/simple'\n", "https://a.example/simple"),
        ("global.extra-index-url='file:///srv/simple'\n", None),
        ("", None),
    ],
)
def test_the_index_is_read_from_pips_own_listing(listing: str, index: str | None) -> None:
    assert first_env.index_in(listing) == index


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("https://mirror.example/simple", True),
        ("https://user:secret@mirror.example/simple", True),
        ("http://127.0.0.1:3141/root", False),
        ("http://user@localhost/simple", False),
        ("file:///srv/simple", False),
    ],
)
def test_an_index_of_this_host_only_is_not_for_containers(url: str, reachable: bool) -> None:
    assert first_env.reachable_from_containers(url) is reachable
