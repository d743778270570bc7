"""The locks agree with the pyproject.toml files and with each other, and name no place packages come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
IMAGES = ("services/model-init", "services/cpu-engine", "services/openai-api", "ui")
TESTS = ROOT / "tests/requirements.lock"


def pins(lock: Path) -> dict[str, str]:
    """Package → version, as the images' Python gets them."""
    found = {}
    for line in lock.read_text().splitlines():
        pin = re.match(r"([a-z0-9-]+)==([^ ;]+)(?: ; (.*?))? \\$", line)
        if pin and "python_full_version < '3.1" not in (pin[3] or ""):
            found[pin[1]] = pin[2]
    return found


@pytest.mark.parametrize("folder", [*IMAGES, "scripts"])
def test_every_part_is_tested_with_the_versions_it_ships(folder: str) -> None:
    shipped, tested = pins(ROOT / folder / "requirements.lock"), pins(TESTS)
    assert shipped
    assert {name: tested.get(name) for name in shipped} == shipped


@pytest.mark.parametrize("folder", [*IMAGES, "scripts", "tests", "tests/clients"])
def test_a_lock_holds_what_its_pyproject_names(folder: str) -> None:
    """Mend with ./scripts/lock."""
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    locked = (ROOT / folder / "requirements.lock").read_text().lower()
    for dependency in project["dependencies"]:
        name, version = re.split(r"==|;", dependency.lower())[:2]
        name = name.partition("[")[0]
        assert f"{name.replace('_', '-')}=={version.strip()} " in locked


def test_no_lock_names_where_packages_come_from() -> None:
    locks = [
        *ROOT.glob("*/*.lock"),
        *ROOT.glob("services/*/*.lock"),
        *ROOT.glob("tests/clients/*.lock"),
        *ROOT.glob("tests/javascript/*-lock.json"),
    ]
    assert len(locks) > 5
    named = re.compile(r'--(extra-)?index-url|--find-links|"resolved"|^[^#"]*https?://', re.MULTILINE)
    assert [str(lock) for lock in locks if named.search(lock.read_text())] == []
