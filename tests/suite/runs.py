"""pytest, where it belongs: on this host, or on the Python that the appliance's images have.

What runs in the images is tested in the container of tests/compose.yml; all else here, the command too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import IO

from suite.host import PYTHON, ROOT, environment

IN_IMAGE = (
    *("tests/unit/chat_ui", "tests/unit/cpu_engine", "tests/unit/model_files", "tests/unit/model_init"),
    "tests/unit/openai_api",
)
COMPOSE = (
    *("docker", "compose", "--project-name", "appliance-unit-tests"),
    *("--env-file", ".env", "--file", "tests/compose.yml"),
)
NOTHING_COLLECTED = 5
INTERRUPTED = 130

# Set by Ctrl-C. It reaches the children too, and they are waited for: they take down what they started.
stopped = Event()


@dataclass(frozen=True)
class Run:
    """One pytest: where, its command, what must succeed before it, and what takes away the rest of it."""

    where: str
    command: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def needed(paths: Sequence[str], options: Sequence[str]) -> list[Run]:
    """The pytests that these paths of tests need: at most one in the image and one here."""
    inside = [path for path in paths if _below(path, IN_IMAGE)]
    here = [path for path in paths if path not in inside]
    inside += [folder for folder in IN_IMAGE if _below(folder, here)]
    found = []
    if inside:
        pytest = ("python", "-m", "pytest", "-p", "no:cacheprovider", *inside, *options)
        name = f"appliance-unit-tests-{os.getpid()}"
        command = (*COMPOSE, "--progress", "quiet", "run", "--rm", "--name", name, "-T", "units", *pytest)
        build = (*COMPOSE, "--progress", "plain", "build")
        # why: Compose leaves its container running when Ctrl-C ends it
        found.append(Run("on the images' Python", command, build, ("docker", "rm", "--force", name)))
    if here:
        elsewhere = [f"--ignore={folder}" for folder in IN_IMAGE]
        found.append(Run("on this host's Python", (PYTHON, "-m", "pytest", *here, *elsewhere, *options)))
    return found


def run(runs: Sequence[Run], output: IO[bytes] | None = None) -> list[int]:
    """Run them one after the other; what they say goes to ``output``, or is shown at once."""
    return [_run(one, output) for one in runs if not stopped.is_set()]


def verdict(codes: Sequence[int], options: Sequence[str]) -> int:
    """The exit status of several pytests: with options such as -k, one of them may have found nothing."""
    if stopped.is_set():
        return INTERRUPTED
    if options and any(code != NOTHING_COLLECTED for code in codes):
        codes = [code for code in codes if code != NOTHING_COLLECTED]
    return next((code for code in codes if code), 0)


def wait_for_children_on_interrupt() -> None:
    """From now on Ctrl-C ends the children, and this process only after them."""
    signal.signal(signal.SIGINT, lambda *_: stopped.set())


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _run(one: Run, output: IO[bytes] | None) -> int:
    shown = output or sys.stdout.buffer
    shown.write(f"── tests {one.where}\n".encode())
    shown.flush()
    if one.before:
        before = subprocess.run(one.before, cwd=ROOT, env=environment(), capture_output=True, check=False)
        if before.returncode:
            shown.write(before.stdout + before.stderr)
            return before.returncode
    done = subprocess.run(one.command, cwd=ROOT, env=environment(), stdout=output, stderr=output, check=False)
    if one.after:
        subprocess.run(one.after, capture_output=True, check=False)
    return done.returncode
