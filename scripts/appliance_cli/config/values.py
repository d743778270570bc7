"""The settings as an operator gave them, by option, in the shell, in .env; all of them judged by the table.

As in Compose, a variable of the shell wins over the same key in .env, and an empty one counts as not set.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from appliance_cli.base.errors import BadSetting
from appliance_cli.config import dotenv_file
from appliance_cli.config.table import SETTINGS

SHELL = "the shell's environment"
OPTION = "the command line"


class Values(Mapping[str, str]):
    """Every value by its name, and where it comes from.

    Making one raises BadSetting for the first value that cannot work.
    """

    def __init__(self, given: Mapping[str, str], origins: Mapping[str, str] | None = None) -> None:
        self._given = dict(given)
        self._origins = dict(origins or {})
        for name, setting in SETTINGS.items():
            value = self._given.get(name)
            if value and not setting.kind.accepts(value):
                raise self.refused(name, setting.kind.expected)

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Values":
        """The same values, judged if they are not yet."""
        return given if isinstance(given, cls) else cls(given)

    def __getitem__(self, name: str) -> str:
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def given(self, name: str) -> str | None:
        """What the operator gave; None when it is not set."""
        return self._given.get(SETTINGS[name].name) or None

    def text(self, name: str) -> str:
        """What holds: the operator's value, else the default ("" where there is none)."""
        return self.given(name) or SETTINGS[name].default

    def whole(self, name: str) -> int:
        """What holds, of a setting that is a whole number."""
        return int(self.text(name))

    def given_whole(self, name: str) -> int | None:
        """What the operator gave, of a setting that is a whole number."""
        value = self.given(name)
        return None if value is None else int(value)

    def given_number(self, name: str) -> float | None:
        """What the operator gave, of a setting that is a number."""
        value = self.given(name)
        return None if value is None else float(value)

    def words(self, name: str) -> tuple[str, ...]:
        """The parts of what the operator gave, of a setting with commas."""
        return tuple(part.strip() for part in (self.given(name) or "").split(",") if part.strip())

    def refused(
        self, name: str, expected: str, *, title: str = "", found: str = "", remedy: str = ""
    ) -> BadSetting:
        """The error about one value, with the line of .env, or whatever else it comes from."""
        setting = SETTINGS[name]
        value = self._given.get(name, "")
        shown = found or ("a value that is not shown" if setting.kind.private else repr(value))
        origin = self._origins.get(name, "")
        fallback = f"get {setting.default}" if setting.default else "do without it"
        remedies = {
            SHELL: f"correct {name}, or unset {name} in the shell to {fallback}",
            OPTION: f"give another value, or none to {fallback}",
        }
        in_the_file = f"set {name} in .env, or remove the line to {fallback}"
        return BadSetting(
            title or f"{name} cannot be used",
            expected=expected,
            found=f"{shown}, from {origin}" if origin and value else shown,
            remedy=remedy or remedies.get(origin, in_the_file),
        )


def _lacking(name: str, origin: str) -> BadSetting:
    # why: not what is behind the $: it may be half of a password
    return BadSetting(
        f"{name} cannot be used",
        expected="a value without $, or in single quotes where a $ is meant",
        found=f"a $ before a name that nothing sets, from {origin}: Compose would leave both out",
        remedy=f"write {name}='…' in single quotes, or $$ for each $",
    )


def read(env_file: Path, chosen: Mapping[str, str] | None = None) -> Values:
    """The settings of ``env_file``, the shell's over them, and over both ``chosen`` (command-line options).

    Raises BadSetting for a file that Compose cannot read, and for a value that cannot work or lacks a part.
    """
    entries = dotenv_file.read_entries(env_file)
    shell, options = dict(os.environ), dict(chosen or {})
    for name, entry in entries.items():
        if entry.value and entry.lacks and name in SETTINGS and name not in {**shell, **options}:
            raise _lacking(name, f"{env_file.name} line {entry.line}")
    given = {**{name: entry.value for name, entry in entries.items()}, **shell, **options}
    origins = {
        **{name: f"{env_file.name} line {entry.line}" for name, entry in entries.items()},
        **dict.fromkeys(shell, SHELL),
        **dict.fromkeys(options, OPTION),
    }
    return Values(given, origins)
