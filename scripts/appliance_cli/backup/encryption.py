"""Encrypts and decrypts a backup with age or gpg, whichever the operator has.

Sees no key and no passphrase: they are in files whose names it hands on, or typed to the program itself.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from appliance_cli.base.errors import BadSetting, HostNotReady, StepFailed
from appliance_cli.base.process import hand_over

Program = Literal["age", "gpg"]
_BEGINNINGS: dict[bytes, Program] = {
    b"age-encryption.org/": "age",
    b"-----BEGIN AGE ENCRYPTED FILE-----": "age",
    b"-----BEGIN PGP MESSAGE-----": "gpg",
}


@dataclass(frozen=True)
class Encryption:
    """How a backup is encrypted: for the public keys in ``recipients``, else by a passphrase.

    A passphrase is in ``passphrase_file`` (gpg only), else the program asks for it.
    """

    program: Program
    recipients: Path | None = None
    passphrase_file: Path | None = None

    @property
    def asks(self) -> bool:
        """Whether a person has to type the passphrase."""
        return self.recipients is None and self.passphrase_file is None

    def command(self) -> list[str]:
        """What encrypts standard input to standard output."""
        if self.program == "age":
            to = ["--passphrase"] if self.recipients is None else ["--recipients-file", str(self.recipients)]
            return ["age", "--encrypt", *to]
        if self.recipients is not None:
            to = ["--trust-model", "always", "--recipient-file", str(self.recipients), "--encrypt"]
            return ["gpg", "--batch", *to]
        return ["gpg", *_gpg_passphrase(self.passphrase_file), "--cipher-algo", "AES256", "--symmetric"]


def _gpg_passphrase(file: Path | None) -> list[str]:
    if file is None:
        return ["--no-symkey-cache"]
    return ["--batch", "--pinentry-mode", "loopback", "--no-symkey-cache", "--passphrase-file", str(file)]


@dataclass(frozen=True)
class Decryption:
    """What opens an encrypted backup: age's identity file or gpg's passphrase file; else the program asks."""

    identity: Path | None = None
    passphrase_file: Path | None = None

    def command(self, program: Program) -> list[str]:
        """What decrypts standard input to standard output."""
        if program == "age":
            return ["age", "--decrypt", *(["--identity", str(self.identity)] if self.identity else [])]
        return ["gpg", "--quiet", *_gpg_passphrase(self.passphrase_file), "--decrypt"]


def require_possible(wanted: Encryption, *, can_ask: bool) -> None:
    """Raise BadSetting or HostNotReady, before anything is made, for what could not be encrypted."""
    _require_program(wanted.program)
    if wanted.recipients is not None and wanted.passphrase_file is not None:
        raise BadSetting(
            "A backup is encrypted for recipients or by a passphrase",
            expected="--recipients or --passphrase-file",
            found="both",
            remedy="leave one out",
        )
    if wanted.program == "age" and wanted.passphrase_file is not None:
        raise BadSetting(
            "age takes a passphrase from a person only",
            expected="--recipients FILE, or a terminal to type a passphrase on",
            found="--passphrase-file",
            remedy="make a key with age-keygen and give its public half with --recipients, or use gpg",
        )
    for file in (wanted.recipients, wanted.passphrase_file):
        _require_file(file)
    if wanted.asks and not can_ask:
        raise HostNotReady(
            "The backup's passphrase has to come from somewhere; nothing was made",
            expected="--recipients FILE" + (", --passphrase-file FILE" if wanted.program == "gpg" else ""),
            found="neither, and no terminal to ask on",
            remedy="give one of them, or run it on a terminal",
        )


def program_of(stream: IO[bytes]) -> Program | None:
    """What the file was encrypted with; None when it was not. Leaves the stream at its beginning."""
    first = stream.read(64)
    stream.seek(0)
    for beginning, program in _BEGINNINGS.items():
        if first.startswith(beginning):
            return program
    # a packet of OpenPGP's begins with the highest bit
    return "gpg" if first[:1] >= b"\x80" else None


def encrypt(wanted: Encryption, plain: IO[bytes], out: IO[bytes]) -> None:
    """Encrypt ``plain``, from its beginning, into ``out``. Raises StepFailed."""
    _run(wanted.command(), plain, out, "encrypted", "see what it says above; the backup was not kept")


def decrypt(how: Decryption, program: Program, stream: IO[bytes], out: IO[bytes]) -> None:
    """Decrypt ``stream``, from its beginning, into ``out``. Raises HostNotReady, BadSetting or StepFailed."""
    _require_program(program)
    _require_file(how.identity)
    _require_file(how.passphrase_file)
    option = "--identity FILE" if program == "age" else "--passphrase-file FILE, or its key in gpg's keyring"
    _run(how.command(program), stream, out, "decrypted", f"give what opens it: {option}")


def _run(argv: list[str], source: IO[bytes], out: IO[bytes], done: str, remedy: str) -> None:
    os.lseek(source.fileno(), 0, os.SEEK_SET)  # why: Python's own seek may stay within what it has read
    code = hand_over(argv, stdin=source, stdout=out)
    out.seek(0)
    if code != 0 or not out.read(1):
        raise StepFailed(
            f"The backup could not be {done}; nothing was changed",
            expected=f"{argv[0]} to succeed",
            found=f"exit code {code}; its words are above",
            remedy=remedy,
        )
    out.seek(0)


def _require_program(program: Program) -> None:
    if shutil.which(program) is None:
        raise HostNotReady(
            f"{program} is not installed; nothing was changed",
            expected=f"the program {program}, which encrypts and decrypts",
            found="none",
            remedy=f"install it (Debian, Ubuntu: apt-get install {'gnupg' if program == 'gpg' else program})",
        )


def _require_file(file: Path | None) -> None:
    if file is None:
        return
    try:
        file.open("rb").close()
    except OSError as error:
        raise BadSetting(
            "A file that the encryption needs cannot be read; nothing was changed",
            expected="a file that can be read here",
            found=f"{file}: {error.strerror}",
            remedy="name the right one",
        ) from error
