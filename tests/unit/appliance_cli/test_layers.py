"""The command's folders stand on each other in one direction: each can be read without those above."""

from __future__ import annotations

import re

import pytest

from harness.cli_path import SCRIPTS

# From the bottom up; docs/maintaining.md says what each of them is.
LAYERS = (
    "base",
    "config",
    "compose",
    "host",
    "door",
    "gpu",
    "stack",
    "backup",
    "measure",
    "release",
    "doctor",
    "cli",
)
PACKAGE = SCRIPTS / "appliance_cli"
IMPORT = re.compile(r"^\s*(?:from|import) appliance_cli\.(\w+)", re.MULTILINE)


def test_every_folder_has_its_place() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_folder_imports_from_itself_and_those_below(layer: str) -> None:
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    imports = {
        str(path.relative_to(PACKAGE)): set(IMPORT.findall(path.read_text()))
        for path in (PACKAGE / layer).rglob("*.py")
    }
    assert any(imports.values()) or layer == "base"
    assert {name: found - allowed for name, found in imports.items() if found - allowed} == {}
