"""Ways to run other programs: ask, act, launch what goes on by itself, talk with one, hand the terminal over.

What to run is decided elsewhere, as argument lists.
"""

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from appliance_cli.base.errors import StepFailed

Child = subprocess.Popen[bytes]
TAIL_LINES = 15
LOG_LIMIT_BYTES = 5_000_000
AFTER_KILL_S = 1.0
NOT_INSTALLED, TIMED_OUT = 127, 124


@dataclass(frozen=True)
class Answer:
    """What a short program said.

    ``code`` is NOT_INSTALLED or TIMED_OUT (it did not answer in time) where it did not end by itself.
    """

    code: int
    out: str
    err: str


def ask(
    argv: Sequence[str],
    *,
    timeout: float = 20,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Answer:
    """Run a program that only answers a question; never raises for what it says or fails at."""
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(env),
            cwd=cwd,
        )
    except FileNotFoundError:
        return Answer(NOT_INSTALLED, "", f"{argv[0]}: not installed")
    except PermissionError as error:
        return Answer(126, "", str(error))
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _give_up(child)
        return Answer(TIMED_OUT, "", f"{argv[0]}: no answer in {timeout:.0f} s")
    except BaseException:
        _give_up(child)
        raise
    return Answer(child.returncode, out, err)


def _give_up(child: subprocess.Popen[str]) -> None:
    """End a program; one that the kernel does not let go, as with a driver that hangs, is left behind."""
    child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(AFTER_KILL_S)
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def act(
    argv: Sequence[str],
    title: str,
    *,
    log: Path,
    on_line: Callable[[str], None] = lambda line: None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    remedy: str,
) -> None:
    """Run a program that changes something; its output goes into ``log`` and line by line to ``on_line``.

    Raises StepFailed with the end of that output when the program is missing or fails. ``log`` is appended
    to, and begun anew once it is large.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    mode = "w" if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES else "a"
    with log.open(mode, encoding="utf-8") as record:
        record.write(f"$ {' '.join(argv)}\n")
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=_environment(env),
                cwd=cwd,
            )
        except OSError as error:
            raise StepFailed(
                f"{title} failed", expected=f"to run {argv[0]}", found=str(error), remedy=remedy
            ) from error
        with child:
            assert child.stdout is not None
            for raw in child.stdout:
                record.write(raw)
                line = raw.rstrip()
                tail.append(line)
                on_line(line)
    if child.returncode != 0:
        raise StepFailed(
            f"{title} failed",
            expected=f"{argv[0]} to succeed",
            found=f"exit code {child.returncode}; the whole output is in {log}",
            remedy=remedy,
            details=tuple(tail),
        )


def hand_over(
    argv: Sequence[str],
    *,
    stdin: IO[bytes] | int | None = None,
    stdout: IO[bytes] | None = None,
    cwd: Path | None = None,
) -> int:
    """Run a program on this terminal, or on the files given, until it ends; returns its exit code."""
    return subprocess.call(argv, cwd=cwd, stdin=stdin, stdout=stdout)


def launch(
    argv: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that goes on by itself when this command ends; its output goes into a new ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as record:
        # why: its own session, and a file instead of a pipe: Ctrl-C here must not stop what it does
        return subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=record,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(env),
        )


def converse(argv: Sequence[str], *, log: Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a program that is talked with through its standard streams; its errors go into ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as record:
        # why: its own session: Ctrl-C reaches it as the end of its input, after which it leaves nothing
        return subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=record,
            start_new_session=True,
        )


def _environment(extra: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if extra is None else {**os.environ, **extra}
