"""upgrade --to: the newer release's own command goes on, and knows which appliance is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Cli = Callable[..., CompletedProcess[str]]
SAYS = '#!/bin/sh\necho "$COMPOSE_PROJECT_NAME: $*"\n'


def test_the_other_folders_command_goes_on(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "appliance-9.9.9"
    (folder / "scripts/appliance_cli/release").mkdir(parents=True)
    (folder / "scripts/appliance").write_text(SAYS)
    (folder / "scripts/appliance").chmod(0o755)
    done = cli("upgrade", "--to", str(folder), "--check", "--yes", COMPOSE_PROJECT_NAME="office")
    assert (done.returncode, done.stdout) == (0, "office: upgrade --check --yes\n")


def test_what_names_no_release_changes_nothing(cli: Cli) -> None:
    done = cli("upgrade", "--to", "no-such-thing")
    assert done.returncode == 2
    assert "no-such-thing names no release" in done.stderr


def test_without_docker_nothing_is_upgraded(cli: Cli) -> None:
    done = cli("upgrade", "--check")
    assert done.returncode == 4
    assert "The Docker engine does not answer" in done.stderr


def test_without_an_upgrade_there_is_no_way_back(cli: Cli) -> None:
    done = cli("rollback", "--yes", COMPOSE_PROJECT_NAME="never-upgraded")
    assert done.returncode == 3
    assert "There is no release to go back to" in done.stderr
