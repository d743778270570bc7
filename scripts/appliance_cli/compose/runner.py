"""Runs docker compose's commands: the one place that does, and always in the appliance's own folder.

COMPOSE_FILE names files relative to where Compose is run, so from another folder it would find none of them.
"""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from appliance_cli.base import process
from appliance_cli.base.process import Answer
from appliance_cli.config.appliance import Appliance

# why: these make Compose build with Docker's own BuildKit where no buildx is installed, as on Debian 12
ENVIRONMENT = {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}


def ask(appliance: Appliance, argv: Sequence[str], *, timeout: float) -> Answer:
    """See `process.ask`."""
    return process.ask(argv, timeout=timeout, cwd=appliance.root)


def act(
    appliance: Appliance,
    argv: Sequence[str],
    title: str,
    *,
    log: Path,
    on_line: Callable[[str], None],
    remedy: str,
) -> None:
    """See `process.act`."""
    process.act(argv, title, log=log, on_line=on_line, env=ENVIRONMENT, cwd=appliance.root, remedy=remedy)


def launch(appliance: Appliance, argv: Sequence[str], *, log: Path) -> subprocess.Popen[bytes]:
    """See `process.launch`."""
    return process.launch(argv, log=log, env=ENVIRONMENT, cwd=appliance.root)


def converse(appliance: Appliance, argv: Sequence[str], *, log: Path) -> subprocess.Popen[bytes]:
    """See `process.converse`."""
    return process.converse(argv, log=log, cwd=appliance.root)


def hand_over(
    appliance: Appliance,
    argv: Sequence[str],
    *,
    stdin: IO[bytes] | int | None = None,
    stdout: IO[bytes] | None = None,
) -> int:
    """See `process.hand_over`."""
    return process.hand_over(argv, stdin=stdin, stdout=stdout, cwd=appliance.root)
