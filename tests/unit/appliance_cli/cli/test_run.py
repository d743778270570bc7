"""Every command, whatever it is called: which appliance it acts on, and how a bad setting ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from appliance_cli.cli.app import app


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command, with something for each argument that it needs."""

    def leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if hasattr(command, "commands"):
            for name, each in command.commands.items():
                yield from leaves(each, (*words, name))
        else:
            needed = [p for p in command.params if p.param_type_name == "argument" and p.required]
            yield (*words, *("x" for _ in needed))

    yield from leaves(typer.main.get_command(app), ())


COMMANDS = list(commands())


def test_they_were_found() -> None:
    assert {("up",), ("model", "use", "x"), ("gpu",), ("scale", "x")} <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_command_acts_on_the_appliance_that_is_named(
    words: tuple[str, ...], before: bool, tmp_path: Path
) -> None:
    """The file has a value that cannot work, so a command that reads it says so; the default has none."""
    env_file = tmp_path / "another.env"
    env_file.write_text("HTTP_PORT=nowhere\n")
    option = ("--env-file", str(env_file))
    result = CliRunner().invoke(app, [*option, *words] if before else [*words, *option])
    assert result.exit_code == 2, result.output
    assert "HTTP_PORT" in result.stderr and "nowhere" in result.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_verbose_shows_what_lies_behind_a_failure(words: tuple[str, ...], tmp_path: Path) -> None:
    env_file = tmp_path / "another.env"
    env_file.write_text("HTTP_PORT=nowhere\n")
    result = CliRunner().invoke(app, ["--env-file", str(env_file), *words, "--verbose"])
    assert "Traceback" in result.stderr
