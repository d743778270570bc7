"""People: their passwords, what nginx gets to check them, and the real command line."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

import bcrypt
import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.door import users
from appliance_cli.door.access import AccessDir
from appliance_cli.door.accounts import Limits
from harness.cli_path import PYTHONPATH

Cli = Callable[..., CompletedProcess[str]]
PASSWORD = "correct horse"
HASH = "$2b$10$" + "a" * 53  # looks like one; the slow real thing is made only where it matters


def content(folder: AccessDir, name: str) -> str:
    return (folder.path / name).read_text()


def test_what_is_made_of_a_password_is_bcrypt_of_cost_10() -> None:
    made = users.hashed(PASSWORD)
    assert made.startswith("$2b$10$")
    assert bcrypt.checkpw(PASSWORD.encode(), made.encode())
    assert not bcrypt.checkpw(b"correct hors", made.encode())


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("", "0 characters"),
        ("1234567", "7 characters"),
        ("x" * 73, "73 bytes"),
        ("密" * 25, "75 bytes"),
        ("1234567\0", "a NUL byte"),
    ],
)
def test_a_password_that_is_too_short_or_too_long_is_refused_and_not_repeated(
    password: str, found: str
) -> None:
    with pytest.raises(BadSetting) as failure:
        users.hashed(password)
    assert failure.value.found == found


@pytest.mark.parametrize("password", ["12345678", "x" * 72, "密" * 24])
def test_the_longest_and_shortest_passwords_work(password: str) -> None:
    assert bcrypt.checkpw(password.encode(), users.hashed(password).encode())


def test_nginx_gets_a_password_file_and_a_secret(folder: AccessDir, now: datetime) -> None:
    users.add(folder, "alice", HASH, Limits(rpm=5), now)
    secret = content(folder, "session.secret")
    users.add(folder, "bob@x.org", HASH, Limits(), now)
    assert content(folder, "users.htpasswd") == f"alice:{HASH}\nbob@x.org:{HASH}\n"
    assert re.fullmatch(r"[0-9a-f]{64}", secret)
    assert content(folder, "session.secret") == secret
    table = json.loads(content(folder, "users.json"))
    assert table["schema"] == 1
    assert table["users"][0] == {
        "name": "alice",
        "bcrypt": HASH,
        "created": "2026-11-22T19:00:00Z",
        "rpm": 5,
        "concurrent": None,
        "daily_tokens": None,
    }


def test_a_changed_password_and_a_removed_person_reach_both_files(folder: AccessDir, now: datetime) -> None:
    new = HASH[:-1] + "b"
    for name in ("alice", "bob"):
        users.add(folder, name, HASH, Limits(), now)
    users.change_password(folder, "alice", new)
    assert [entry["name"] for entry in users.remove(folder, "bob")] == ["alice"]
    assert content(folder, "users.htpasswd") == f"alice:{new}\n"
    assert [entry["bcrypt"] for entry in users.load(folder)] == [new]
    for change in (users.remove, users.require_known):
        with pytest.raises(BadSetting, match="no such user"):
            change(folder, "bob")


def test_a_password_file_that_was_lost_is_made_again(folder: AccessDir, now: datetime) -> None:
    users.complete(folder)
    assert not (folder.path / "session.secret").exists()
    users.add(folder, "alice", HASH, Limits(), now)
    (folder.path / "users.htpasswd").unlink()
    users.complete(folder)
    assert content(folder, "users.htpasswd") == f"alice:{HASH}\n"


@pytest.mark.parametrize("proof", ["", "secret", "$2b$10$short", "$1$abc$def", f"{HASH}\nroot:x"])
def test_a_table_with_a_proof_that_is_no_bcrypt_hash_is_damaged(proof: str, folder: AccessDir) -> None:
    with folder.changing():
        folder.write("users.json", json.dumps({"schema": 1, "users": [{"name": "a", "bcrypt": proof}]}))
    with pytest.raises(BadSetting, match=r"users\.json is damaged") as failure:
        users.load(folder)
    assert "no usable bcrypt" in failure.value.found


def test_the_life_of_a_user_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    added = cli("users", "add", "alice", "--daily-tokens", "1000", stdin=f"{PASSWORD}\n")
    assert (added.returncode, added.stdout) == (0, ""), added.stderr
    assert "signs in at http://127.0.0.1:18080/" in added.stderr
    assert "It is the first one" in added.stderr
    assert PASSWORD not in added.stderr
    hashed = (tmp_path / "access" / "users.htpasswd").read_text().strip().partition(":")[2]
    assert bcrypt.checkpw(PASSWORD.encode(), hashed.encode())
    assert cli("users", "passwd", "alice", stdin="another one\r\n").returncode == 0
    hashed = (tmp_path / "access" / "users.htpasswd").read_text().strip().partition(":")[2]
    assert bcrypt.checkpw(b"another one", hashed.encode())
    assert cli("users", "list").stdout.splitlines()[1].split()[0] == "alice"
    (listed,) = json.loads(cli("users", "list", "--json").stdout)["users"]
    assert listed["daily_tokens"] == 1000
    assert "bcrypt" not in listed
    assert cli("users", "remove", "alice").returncode == 3
    removed = cli("users", "remove", "alice", "--yes")
    assert "No user is left: the chat is open again to everybody on this machine" in removed.stderr
    assert (tmp_path / "access" / "users.htpasswd").read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "stdin", "title"),
    [
        (["add", "alice"], "", "The password could not be read; nothing was changed"),
        (["add", "alice"], "short\n", "The password cannot be used; nothing was changed"),
        (["add", "a:b"], f"{PASSWORD}\n", "The name cannot be used"),
        (["add", "alice", "--rpm", "0"], f"{PASSWORD}\n", "--rpm cannot be used"),
        (["passwd", "nobody"], f"{PASSWORD}\n", "There is no such user"),
        (["remove", "nobody"], "", "There is no such user"),
    ],
)
def test_wrong_input_is_one_clear_error_and_changes_nothing(
    arguments: list[str], stdin: str, title: str, cli: Cli, tmp_path: Path
) -> None:
    done = cli("users", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip().splitlines()[0] == f"✗ {title}"
    assert not (tmp_path / "access" / "users.json").exists()


def on_terminal(tmp_path: Path, *answers: str) -> tuple[int, str]:
    """Adds alice on a terminal, giving an answer at each prompt; the exit code and everything shown."""
    env_file = tmp_path / "terminal.env"
    env_file.write_text(f"ACCESS_DIR={tmp_path / 'access'}\n")
    command = [sys.executable, "-m", "appliance_cli", "--env-file", str(env_file), "users", "add", "alice"]
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "TERM": "dumb"},
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # the session's terminal
    )
    os.close(theirs)
    shown = ""
    prompts = iter(answers)
    while True:
        try:
            part = os.read(ours, 4096).decode()
        except OSError:  # the terminal is gone with its last user
            break
        shown += part
        if shown.endswith(": "):
            os.write(ours, f"{next(prompts)}\n".encode())
    os.close(ours)
    return child.wait(), shown


def test_on_a_terminal_the_password_is_asked_twice_and_not_shown(tmp_path: Path) -> None:
    code, shown = on_terminal(tmp_path, PASSWORD, PASSWORD)
    assert code == 0, shown
    assert "Password for alice: " in shown
    assert "Once more: " in shown
    assert PASSWORD not in shown


def test_two_different_passwords_on_a_terminal_add_nobody(tmp_path: Path) -> None:
    code, shown = on_terminal(tmp_path, PASSWORD, "something else")
    assert code == 2
    assert "two different ones" in shown
    assert not (tmp_path / "access" / "users.json").exists()
