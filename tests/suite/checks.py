"""The checks: programs that read all of the repository and say what is wrong. Quick, and before any test.

Each is independent of the others; all of them run, as many at a time as there are cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from suite.host import BIN, NODE, PYTHON, ROOT, environment
from suite.request import BadRequest

SHELLS = {b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash", b"#!/usr/bin/env sh"}
FORMATTED = ["bench", "scripts", "services", "tests", "ui"]
# nginx -t needs an image and containers, so pytest does it. After the checks the unit tests leave it out.
NGINX_TESTS = "tests/unit/nginx/test_image.py"


@dataclass(frozen=True)
class Check:
    """A name, what it finds, its command. ``counts``: it is pytest, whose closing line is always shown."""

    name: str
    finds: str
    command: Callable[[], list[str]]
    counts: bool = False


def tracked(*patterns: str) -> list[str]:
    """The repository's files: those that git knows, and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(name for name in set(done.stdout.splitlines()) if (ROOT / name).is_file())


def shell_files() -> list[str]:
    """Everything that a POSIX shell or bash runs: by its first line, or by its name."""
    return [name for name in tracked() if name.endswith(".sh") or _first_line(name) in SHELLS]


def _first_line(name: str) -> bytes:
    with (ROOT / name).open("rb") as file:
        return file.readline(64).rstrip()


def _eslint() -> list[str]:
    # which folders by which rules stands beside its packages, in tests/javascript/package.json
    npm = BIN.parent / "lib/node_modules/npm/bin/npm-cli.js"
    return [NODE, str(npm), "--prefix", "tests/javascript", "run", "--silent", "lint"]


def _api_docs() -> list[str]:
    return [PYTHON, "services/openai-api/generate_docs.py", "--check"]


CHECKS = (
    Check("ruff", "mistakes and style in Python", lambda: [PYTHON, "-m", "ruff", "check", "."]),
    Check("format", "layout of Python", lambda: [PYTHON, "-m", "ruff", "format", "--check", *FORMATTED]),
    Check("mypy", "types in Python, strictly", lambda: [PYTHON, "-m", "mypy"]),
    Check("shellcheck", "mistakes in shell scripts", lambda: ["shellcheck", "-x", *shell_files()]),
    Check("eslint", "mistakes and style in JavaScript", _eslint),
    Check("api-docs", "tables of parameters that the service has otherwise", _api_docs),
    Check(
        "view", "the conversation's view is what ui/web makes", lambda: [NODE, "ui/web/build.mjs", "--check"]
    ),
    Check("node", "the gate's modules, alone", lambda: [NODE, "--test", *tracked("*.test.mjs")]),
    Check(
        "troubles",
        "docs/troubleshooting.md, in both languages, as doctor has it",
        lambda: [PYTHON, "-m", "appliance_cli.doctor.troubleshooting", "--check"],
    ),
    Check(
        "nginx", "nginx -t over what is rendered", lambda: [PYTHON, "-m", "pytest", NGINX_TESTS], counts=True
    ),
)


def named(part: str) -> list[Check]:
    """The checks with ``part`` in their name, in order.

    Raises:
        BadRequest: when there is none.
    """
    found = [check for check in CHECKS if part in check.name]
    if not found:
        raise BadRequest(
            f"a part of {', '.join(check.name for check in CHECKS)}", part, "see ./scripts/test --list"
        )
    return found


def run(checks: Sequence[Check]) -> list[str]:
    """Run them all and say how each ended; the names of those that failed."""
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for check, (code, output, seconds) in zip(checks, pool.map(_run, checks), strict=True):
            print(f"{'✗' if code else '✓'} {check.name}: {check.finds} ({seconds:.0f} s)", flush=True)
            if code or check.counts:
                sys.stdout.buffer.write(output)
                sys.stdout.flush()
            if code:
                failed.append(check.name)
    return failed


def _run(check: Check) -> tuple[int, bytes, float]:
    began = time.monotonic()
    try:
        done = subprocess.run(
            check.command(),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        code, output = done.returncode, done.stdout
    except OSError as error:
        code, output = 127, f"  it cannot run: {error}\n".encode()
    return code, output, time.monotonic() - began
