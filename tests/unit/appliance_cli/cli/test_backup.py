"""`backup`, `restore` and `service backup` on the command line: what is refused, before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Cli = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("backup", "there.tar.gz", "--recipients", "x"), 2, "--recipients cannot be used so"),
        (("backup", "there.tar.gz", "--passphrase-file", "x"), 2, "--passphrase-file cannot be used so"),
        (("backup", "there.tar.gz", "--keep", "3"), 2, "--keep cannot be used so"),
        (("backup", "nowhere/there.tar.gz"), 2, "no folder"),
        (("backup", "there.tar.gz"), 4, "The Docker engine does not answer"),
        (("restore", "none.tar.gz", "--yes"), 2, "The backup cannot be read"),
        (("restore", "nothing", "--yes"), 4, "The Docker engine does not answer"),
        (("service", "backup", "nowhere"), 2, "The backups cannot go there"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(
    words: tuple[str, ...], code: int, said: str, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "nothing").touch()
    before = set(tmp_path.iterdir())
    places = {word: str(tmp_path / word) for word in ("there.tar.gz", "none.tar.gz", "nothing", "nowhere")}
    places["nowhere/there.tar.gz"] = str(tmp_path / "nowhere/there.tar.gz")
    done = cli(*(places.get(word, word) for word in words))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert set(tmp_path.iterdir()) == before
