"""The access directory: private, written whole or not at all, and never somebody else's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.config.door import Owner
from appliance_cli.door.access import LOCK, AccessDir
from harness.cli_path import PYTHONPATH

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_use_makes_a_private_folder_with_private_files(folder: AccessDir) -> None:
    with folder.changing():
        assert folder.write("keys.json", "one")
        assert folder.write("tls/server.pem", "two")
    assert mode(folder.path) == mode(folder.path / "tls") == 0o700
    assert mode(folder.path / "keys.json") == mode(folder.path / "tls" / "server.pem") == 0o600
    assert {path.name for path in folder.path.iterdir()} == {LOCK, "keys.json", "tls"}


@AS_ROOT
def test_root_gives_everything_to_the_user_that_nginx_runs_as(tmp_path: Path) -> None:
    folder = AccessDir(tmp_path / "access", Owner(10001, 10002))
    with folder.changing():
        folder.write("tls/server.pem", "x")
    owned = [folder.path, folder.path / "tls", folder.path / "tls" / "server.pem"]
    assert [(path.stat().st_uid, path.stat().st_gid) for path in owned] == [(10001, 10002)] * 3


def test_a_folder_that_docker_made_for_its_mount_becomes_private(folder: AccessDir) -> None:
    folder.path.mkdir(parents=True, mode=0o755)
    with folder.changing():
        pass
    assert mode(folder.path) == 0o700


def test_the_same_text_is_not_written_again(folder: AccessDir) -> None:
    with folder.changing():
        folder.write("keys.json", "one")
        before = (folder.path / "keys.json").stat().st_ino
        assert not folder.write("keys.json", "one")
        assert (folder.path / "keys.json").stat().st_ino == before
        assert folder.write("keys.json", "two")
    assert folder.read("keys.json") == "two"


def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(
    folder: AccessDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    with folder.changing():
        folder.write("keys.json", "former")
        monkeypatch.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space"):
            folder.write("keys.json", "new")
    assert folder.read("keys.json") == "former"
    assert {path.name for path in folder.path.iterdir()} == {LOCK, "keys.json"}


def test_another_command_waits_until_this_one_has_finished(folder: AccessDir) -> None:
    script = (
        "import sys; from pathlib import Path; from appliance_cli.door.access import AccessDir\n"
        "from appliance_cli.config.door import Owner\n"
        "folder = AccessDir(Path(sys.argv[1]), Owner(10001, 10001)); print('tries', flush=True)\n"
        "with folder.changing(): folder.write('keys.json', folder.read('keys.json') + ' second')\n"
    )
    with folder.changing():
        command = [sys.executable, "-c", script, str(folder.path)]
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "tries\n"
        folder.write("keys.json", "first")
        assert folder.read("keys.json") == "first"
    child.communicate()
    assert child.returncode == 0
    assert folder.read("keys.json") == "first second"


def test_a_folder_with_other_things_in_it_is_never_taken_over(folder: AccessDir) -> None:
    folder.path.mkdir(parents=True, mode=0o755)
    folder.path.chmod(0o755)
    (folder.path / "passwd").touch()
    with pytest.raises(BadSetting, match="ACCESS_DIR") as failure, folder.changing():
        pass
    assert failure.value.found == f"{folder.path} holds passwd"
    assert mode(folder.path) == 0o755
    assert [path.name for path in folder.path.iterdir()] == ["passwd"]


def test_a_file_in_the_folders_place_is_named(folder: AccessDir) -> None:
    folder.path.parent.mkdir(parents=True)
    folder.path.touch()
    with pytest.raises(BadSetting) as failure:
        folder.require_usable()
    assert failure.value.found == f"{folder.path} is a file"


def test_another_users_folder_is_refused_with_the_way_to_get_it(
    folder: AccessDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.path.mkdir(parents=True)
    mine = folder.path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    monkeypatch.setattr(os, "getegid", lambda: 7)
    with pytest.raises(HostNotReady, match="access directory cannot be used") as failure, folder.changing():
        pass
    assert failure.value.remedy.startswith(f"sudo chown -R {mine + 1}:7 {folder.path}, or run this with sudo")
    assert list(folder.path.iterdir()) == []


def test_what_is_not_text_is_damaged_and_what_is_missing_is_none(folder: AccessDir) -> None:
    assert folder.read("keys.json") is None
    folder.path.mkdir(parents=True)
    (folder.path / "keys.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match=r"keys\.json is damaged; it was left as it is"):
        folder.read("keys.json")


@pytest.fixture
def filled(tmp_path: Path) -> AccessDir:
    """A folder as the commands leave it, with an addition of the operator's."""
    folder = AccessDir(tmp_path / "access", Owner(10001, 10002))
    with folder.changing():
        for name in ("keys.json", "tls/server.pem", "custom/10-mine.conf"):
            folder.write(name, name)
    (folder.path / "custom" / "10-mine.conf").chmod(0o644)
    return folder


@AS_ROOT
def test_what_a_restore_by_root_took_from_nginx_is_given_back(filled: AccessDir) -> None:
    names = [".", "keys.json", "tls", "tls/server.pem", "custom", "custom/10-mine.conf", LOCK]
    for name in names:
        os.chown(filled.path / name, 0, 0)
    assert set(filled.mend()) == {str(filled.path), *names} - {".", LOCK}
    assert {(filled.path / name).stat().st_uid for name in names} == {10001}
    assert filled.mend() == []


def test_modes_are_put_right_and_the_operators_own_stay_where_nginx_can_read(filled: AccessDir) -> None:
    (filled.path / "keys.json").chmod(0o644)
    (filled.path / "tls").chmod(0o755)
    assert sorted(filled.mend()) == ["keys.json", "tls"]
    assert mode(filled.path / "keys.json") == 0o600
    assert mode(filled.path / "custom" / "10-mine.conf") == 0o644
    for name in ("custom/10-mine.conf", "tls/server.pem", "tls"):
        (filled.path / name).chmod(0)
    filled.path.chmod(0)
    assert str(filled.path) in filled.mend()
    assert filled.read("tls/server.pem") == "tls/server.pem"
    assert mode(filled.path / "custom" / "10-mine.conf") == 0o400


def test_a_folder_that_is_not_there_needs_nothing(folder: AccessDir) -> None:
    assert folder.mend() == []
    assert not folder.path.exists()


def test_somebody_elses_folder_keeps_its_mode(folder: AccessDir) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "passwd").touch()
    folder.path.chmod(0o755)
    with pytest.raises(BadSetting):
        folder.mend()
    assert mode(folder.path) == 0o755


@AS_ROOT
def test_another_user_is_told_what_root_left_unreadable(
    filled: AccessDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = filled.path.stat().st_uid
    os.chown(filled.path / "keys.json", 0, 0)
    monkeypatch.setattr(os, "geteuid", lambda: mine)
    monkeypatch.setattr(os, "access", lambda path, *_, **__: Path(path).name != "keys.json")
    with pytest.raises(HostNotReady) as failure:
        filled.mend()
    assert failure.value.found == f"{filled.path / 'keys.json'} belongs to root"
    assert failure.value.remedy.startswith(f"sudo chown -R {mine}:{os.getegid()} {filled.path}")


@AS_ROOT
def test_the_lock_that_root_made_does_not_keep_the_owner_out(filled: AccessDir) -> None:
    assert (filled.path / LOCK).stat().st_uid == 10001
