"""Backup and restore of a running appliance, through the door: no stream is cut, keys and usage come back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness import figures
from harness.caller import Caller, caller, counting
from harness.kept import tree
from harness.stack import REPO, Stack
from harness.waiting import wait_until


@pytest.fixture
def kept_before() -> set[Path]:
    """What restoring kept aside earlier, in the folder of whoever runs the tests."""
    return set((REPO / "backups").glob("*"))


def test_keys_people_and_usage_come_back_and_a_stream_is_not_cut(
    guarded: Stack, tmp_path: Path, kept_before: set[Path]
) -> None:
    file = tmp_path / "backup.tar.gz"
    with caller(guarded, "kept") as kept:
        assert kept.post("/generate", counting(1)).status_code == 200
        wait_until(lambda: requests_of(guarded, kept) == 1, "the request is booked")
        stream = kept.count_on()
        stream.read(2)
        made = guarded.appliance("backup", str(file), "--json")
        assert made.returncode == 0, made.stderr
        stream.read(5)
        stream.close()
        told = json.loads(made.stdout)
        assert (told["file"], told["left_out"], told["encrypted"]) == (str(file), [], None)
        assert file.stat().st_mode & 0o777 == 0o600
        before = tree(guarded.access)
        for _ in range(3):
            assert kept.post("/generate", counting(1)).status_code == 200
        wait_until(lambda: requests_of(guarded, kept) == 5, "all are booked")

    # the key is revoked now, and more happened
    wait_until(lambda: kept.get("/v1/models").status_code == 401, "nginx knows that the key is revoked")
    guarded.add_user("late", "password of late")
    checked = guarded.appliance("restore", str(file), "--check", "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["restored"] is False
    assert kept.get("/v1/models").status_code == 401

    refused = guarded.appliance("restore", str(file))
    assert refused.returncode == 3 and "--yes" in refused.stderr
    done = guarded.appliance("restore", str(file), "--yes")
    (aside,) = set((REPO / "backups").glob("*")) - kept_before
    try:
        assert done.returncode == 0, done.stderr
        guarded.wait_ready()
        assert tree(guarded.access) == before
        assert kept.get("/v1/models").status_code == 200
        assert requests_of(guarded, kept) in (1, 2), "with the stream or without, never the later ones"
        answer = kept.count_on()
        answer.read(3)
        answer.close()

        undone = guarded.appliance("restore", str(aside), "--yes")
        assert undone.returncode == 0, undone.stderr
        guarded.wait_ready()
        assert kept.get("/v1/models").status_code == 401
        removed = guarded.appliance("users", "remove", "late", "--yes")
        assert removed.returncode == 0, removed.stderr
    finally:
        for path in set((REPO / "backups").glob("*")) - kept_before:
            path.unlink()
        if not any((REPO / "backups").iterdir()):
            (REPO / "backups").rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root locks others out so")
def test_up_opens_what_a_copy_by_root_closed_and_nginx_notices(guarded: Stack, tmp_path: Path) -> None:
    """The copy lacks a key. Only its owner changes after that: neither its content nor its place."""
    file = guarded.access / "keys.json"
    with caller(guarded, "locked") as locked:
        owner, table = file.stat(), json.loads(file.read_text())
        table["keys"] = [entry for entry in table["keys"] if entry["name"] != locked.name]
        complaints = figures.nginx_log(guarded).count("keys.json cannot be used")
        copy = guarded.access / ".copy"
        copy.write_text(json.dumps(table))
        copy.chmod(0o600)
        copy.replace(file)
        wait_until(
            lambda: figures.nginx_log(guarded).count("keys.json cannot be used") > complaints,
            "nginx says that it cannot read the keys",
        )
        assert locked.get("/v1/models").status_code == 200
        prepared = guarded.appliance("prepare", "--yes", "--engine", "cpu")
        assert prepared.returncode == 0, prepared.stderr
        assert "so that nginx can read: keys.json" in prepared.stderr
        assert (file.stat().st_uid, file.stat().st_gid) == (owner.st_uid, owner.st_gid)
        wait_until(lambda: locked.get("/v1/models").status_code == 401, "nginx has read the keys again")


def requests_of(stack: Stack, someone: Caller) -> int:
    """How many requests of an account are booked."""
    return figures.used(stack, someone.account)["requests"]
