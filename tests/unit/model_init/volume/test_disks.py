"""File systems that have no locks, that fail, or that may not be written: each is named, none is a riddle."""

from __future__ import annotations

import errno

import pytest

from harness.model_init_run import ModelInit

NO_FLOCK = """
import errno, fcntl
def refuse(*arguments):
    raise OSError({0}, "No locks available")
fcntl.flock = refuse
"""
NO_LOCKS = NO_FLOCK + "fcntl.lockf = refuse\n"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_flock_has_another_lock(model_init: ModelInit, code: int) -> None:
    result = model_init.run(prelude=NO_FLOCK.format(code))

    assert result.code == 0, result.log
    assert "no locks" not in result.log


def test_a_file_system_without_any_lock_is_named_and_works(model_init: ModelInit) -> None:
    result = model_init.run(prelude=NO_LOCKS.format(errno.ENOLCK))

    assert result.code == 0, result.log
    assert (
        "warning: the models volume's file system has no locks (No locks available): see to it that only one "
        "model-init works on it at a time\n" in result.log
    )


FAILING = """
import builtins, errno, os, pathlib
real = os.{call}
def failing(*arguments, **options):
    if any("{name}" in str(argument) for argument in arguments[:1]):
        raise OSError({code}, os.strerror({code}), str(arguments[0]))
    return real(*arguments, **options)
os.{call} = failing
"""


@pytest.mark.parametrize(
    ("call", "name", "code", "exit_code", "message"),
    [
        (
            "replace",
            "manifest.json.new",
            errno.EIO,
            16,
            "Input/output error; check the disk and its file system",
        ),
        ("open", ".partial", errno.EIO, 16, "Input/output error; check the disk and its file system (dmesg)"),
        (
            "replace",
            "manifest.json.new",
            errno.ENOSPC,
            10,
            "no disk space: expected room for a few more bytes",
        ),
        (
            "open",
            ".partial",
            errno.EROFS,
            2,
            "MODELS_DIR: expected files that may be read and written, found",
        ),
    ],
)
def test_a_disk_that_fails_is_no_internal_error(
    model_init: ModelInit, call: str, name: str, code: int, exit_code: int, message: str
) -> None:
    result = model_init.run(prelude=FAILING.format(call=call, name=name, code=code))

    assert result.code == exit_code, result.log
    assert message in result.log
    assert "internal error" not in result.log
