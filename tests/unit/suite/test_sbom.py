"""The bill of materials has what the locks and images have, each with its licence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from suite import sbom

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def without_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def docker(folder: Path, says: str) -> None:
    (folder / "docker").write_text(f"#!/bin/sh\n{says}\n")
    (folder / "docker").chmod(0o755)


def test_it_has_every_package_of_every_lock(without_docker: Path) -> None:
    bill, unread = sbom.bill()
    tree = {part["ref"]: part["dependsOn"] for part in bill["dependencies"]}
    for name, lock in sbom.LOCKS.items():
        lines = (ROOT / lock).read_text().splitlines() if lock else []
        pins = {
            line.split(" ")[0].replace("==", "@") for line in lines if "==" in line and "'win32'" not in line
        }
        of_python = {ref.removeprefix("pkg:pypi/") for ref in tree[name] if ref.startswith("pkg:pypi/")}
        assert of_python == {pin for pin in pins if "@" in pin and "Windows" not in pin}
    named = set(tree).union(*tree.values()) - {"appliance"}
    assert {part["bom-ref"] for part in bill["components"]} == named
    assert unread == [f"{name}:local" for name in sbom.LOCKS if name != "scripts/appliance"]


def test_every_package_has_a_licence(without_docker: Path) -> None:
    """Where a package has none in its metadata: sbom.LICENCES."""
    bill, _ = sbom.bill()
    libraries = [part for part in bill["components"] if "purl" in part]
    assert len(libraries) > 50
    assert [part["purl"] for part in libraries if not part.get("licenses")] == []


def test_the_same_inputs_give_the_same_file(without_docker: Path) -> None:
    assert json.dumps(sbom.bill()) == json.dumps(sbom.bill())


def test_an_images_debian_packages_are_told(without_docker: Path) -> None:
    rows = (
        r"libssl3t64\t3.5.1-1+deb13u1\tamd64\topenssl\tdebian-13\n"
        r"base-files\t13\tamd64\tbase-files\tdebian-13\n"
    )
    docker(without_docker, f"printf '{rows}'")
    found, _ = sbom.debian_packages("image")
    assert found["purl"] == "pkg:deb/debian/libssl3t64@3.5.1-1%2Bdeb13u1?arch=amd64&distro=debian-13"
    assert found["properties"] == [{"name": "debian:source", "value": "openssl"}]
    bill, unread = sbom.bill()
    assert unread == []
    assert [part["name"] for part in bill["components"]].count("libssl3t64") == 1


def test_an_image_that_is_not_there_is_told(without_docker: Path) -> None:
    docker(without_docker, "echo 'Unable to find image' >&2; exit 125")
    assert sbom.debian_packages("image") == []


def test_what_is_pulled_is_named_as_compose_does(without_docker: Path) -> None:
    names = {part["name"]: part["version"] for part in sbom.pulled_images()}
    assert names["ghcr.io/huggingface/text-generation-inference"] == "3.3.7"
    assert {"prom/prometheus", "grafana/grafana"} < set(names)


def test_the_browsers_bundle_comes_with_the_licence_of_all_that_is_in_it() -> None:
    text = (ROOT / sbom.VIEW / "LICENCES.txt").read_text(encoding="utf-8")
    _, *parts = re.split(rf"(?:^|\n{'-' * 80}\n\n)(.+) \(.+\)\n\n", text)
    told = dict(zip(parts[::2], parts[1::2], strict=True))
    packages = {f"{part['name']} {part['version']}" for part in sbom.npm_packages(ROOT / sbom.VIEW_LOCK)}
    assert set(told) == packages | {"The fonts KaTeX_*.woff2"}
    assert [title for title, licence in told.items() if len(licence) < 500] == []
