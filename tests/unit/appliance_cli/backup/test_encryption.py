"""Encrypted backups, by the real gpg and age where they are installed; the errors where they are not."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance_cli.backup import encryption
from appliance_cli.backup.encryption import Decryption, Encryption, Program
from appliance_cli.base.errors import BadSetting, HostNotReady, StepFailed
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access, keys
from harness.kept import Volumes, backed_up, restored, tree

GPG = pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg here")
AGE = pytest.mark.skipif(shutil.which("age-keygen") is None, reason="no age here")


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text("correct horse\n")
    return file


@pytest.fixture
def gpg_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gnupg").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "gnupg"))


def comes_back(
    office: Appliance, docker: Volumes, file: Path, encrypted: Encryption, how: Decryption
) -> None:
    """The round trip, and that nothing readable lies anywhere meanwhile or afterwards."""
    before = tree(office.access_dir)
    made = backed_up(office, docker, file, encrypted)
    assert made.encrypted == encrypted.program
    assert b"alice" not in file.read_bytes()
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    keys.revoke(access.of(office), "ci")
    restored(file, office, docker, how)
    assert tree(office.access_dir) == before
    assert [path.name for path in office.logs.iterdir()] == []


@GPG
@pytest.mark.usefixtures("gpg_home")
def test_gpg_by_a_passphrase(office: Appliance, docker: Volumes, passphrase: Path, tmp_path: Path) -> None:
    file = tmp_path / "to" / "b.tar.gz.gpg"
    file.parent.mkdir()
    comes_back(
        office,
        docker,
        file,
        Encryption("gpg", passphrase_file=passphrase),
        Decryption(passphrase_file=passphrase),
    )
    passphrase.write_text("wrong\n")
    with pytest.raises(StepFailed, match="could not be decrypted; nothing was changed"):
        restored(file, office, docker, Decryption(passphrase_file=passphrase))


@GPG
@pytest.mark.usefixtures("gpg_home")
def test_gpg_for_a_public_key(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    make_key = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "office", "default", "default"]
    subprocess.run(make_key, check=True, capture_output=True)
    public = tmp_path / "public"
    public.write_bytes(subprocess.check_output(["gpg", "--export", "office"]))
    file = tmp_path / "to" / "b.tar.gz.gpg"
    file.parent.mkdir()
    comes_back(office, docker, file, Encryption("gpg", recipients=public), Decryption())


@AGE
def test_age_for_a_public_key(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    identity, public = tmp_path / "identity", tmp_path / "public"
    subprocess.run(["age-keygen", "-o", str(identity)], check=True, capture_output=True)
    public.write_bytes(subprocess.check_output(["age-keygen", "-y", str(identity)]))
    file = tmp_path / "to" / "b.tar.gz.age"
    file.parent.mkdir()
    comes_back(office, docker, file, Encryption("age", recipients=public), Decryption(identity=identity))
    with pytest.raises(StepFailed, match="could not be decrypted"):
        restored(file, office, docker, Decryption(identity=public))


@pytest.mark.parametrize("program", ["age", "gpg"])
def test_a_program_that_is_missing_is_named_before_anything(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostNotReady, match=f"{program} is not installed") as failure:
        encryption.require_possible(Encryption(program), can_ask=True)
    assert "apt-get install" in failure.value.remedy


@pytest.fixture
def both_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("age", "gpg"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("both_programs")
def test_what_could_not_be_encrypted_is_refused_first(passphrase: Path, tmp_path: Path) -> None:
    cases: list[tuple[Encryption, str]] = [
        (Encryption("age", passphrase_file=passphrase), "age takes a passphrase from a person only"),
        (Encryption("gpg", passphrase, passphrase), "for recipients or by a passphrase"),
        (Encryption("gpg", passphrase_file=tmp_path / "none"), "cannot be read"),
        (Encryption("age", recipients=tmp_path / "none"), "cannot be read"),
    ]
    for wanted, words in cases:
        with pytest.raises(BadSetting, match=words):
            encryption.require_possible(wanted, can_ask=True)
    for program in ("age", "gpg"):
        encryption.require_possible(Encryption(program), can_ask=True)
        with pytest.raises(HostNotReady, match="passphrase has to come from somewhere"):
            encryption.require_possible(Encryption(program), can_ask=False)


@pytest.mark.usefixtures("both_programs")
def test_a_program_that_says_nothing_leaves_nothing(
    office: Appliance, docker: Volumes, passphrase: Path, tmp_path: Path
) -> None:
    """The program that stands in its place succeeds without a byte."""
    before = set(tmp_path.iterdir())
    with pytest.raises(StepFailed, match="could not be encrypted"):
        backed_up(office, docker, tmp_path / "b.gpg", Encryption("gpg", passphrase_file=passphrase))
    assert set(tmp_path.iterdir()) == before


def test_no_secret_is_on_a_command_line(passphrase: Path) -> None:
    for wanted in (Encryption("gpg", passphrase_file=passphrase), Encryption("age", recipients=passphrase)):
        words = wanted.command()
        assert str(passphrase) in words
        assert not [word for word in words if re.search("correct|horse", word)]


@pytest.mark.parametrize(
    ("beginning", "program"),
    [
        (b"age-encryption.org/v1\n-> X25519", "age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", "age"),
        (b"-----BEGIN PGP MESSAGE-----", "gpg"),
        (b"\x8c\x0d\x04\x09", "gpg"),
        (b"\x85\x01\x8c", "gpg"),
        (b"\x1f\x8b\x08", None),
        (b"", None),
    ],
)
def test_an_encrypted_file_is_known_by_its_beginning(beginning: bytes, program: Program | None) -> None:
    stream = io.BytesIO(beginning)
    assert encryption.program_of(stream) == program
    assert stream.tell() == 0
