"""What changed between two releases, and which is the newer one."""

from __future__ import annotations

import pytest

from appliance_cli.release import changelog

TEXT = """# Changelog

What changes.

## [1.10.0] - 2027-03-01

### Added
- Ten.

## [1.9.0] - 2027-02-01

### Fixed
- Nine.

## [1.1.0] - 2026-11-27

- One.
"""


def test_what_came_after_the_present_one_up_to_the_wanted_one() -> None:
    assert changelog.between(TEXT, "1.1.0", "1.9.0") == "## [1.9.0] - 2027-02-01\n\n### Fixed\n- Nine."
    both = changelog.between(TEXT, "1.1.0", "1.10.0")
    assert both.startswith("## [1.10.0]")
    assert both.endswith("- Nine.")


def test_the_last_section_reaches_to_the_end() -> None:
    assert changelog.between(TEXT, "1.0.0", "1.1.0") == "## [1.1.0] - 2026-11-27\n\n- One."


@pytest.mark.parametrize(("present", "wanted"), [("1.9.0", "1.9.0"), ("1.10.0", "1.11.0")])
def test_nothing_is_nothing(present: str, wanted: str) -> None:
    assert changelog.between(TEXT, present, wanted) == ""


def test_numbers_are_compared_as_numbers() -> None:
    assert changelog.between("## [1.10.0]\n\n- Ten.", "1.9.9", "1.10.0") == "## [1.10.0]\n\n- Ten."


@pytest.mark.parametrize(("wanted", "told"), [("1.99.0", False), ("2.0.0", True)])
def test_a_major_one_says_that_something_is_to_be_done(wanted: str, told: bool) -> None:
    assert changelog.by_hand("1.1.0", wanted) is told
