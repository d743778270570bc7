"""An appliance in a folder of its own with keys, a user and its certificate, and volumes that are a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.backup import contents, restore, settings_here
from appliance_cli.compose import volume_files
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access, keys, users
from appliance_cli.door.accounts import Limits
from appliance_cli.host import facts
from harness.kept import Volumes, settle

HASH = "$2b$10$" + "a" * 53


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Volumes:
    """No container runs, and no other folder has one."""
    fake = Volumes()

    def write(_: Any, image: str, name: str, files: dict[str, bytes], owner: tuple[int, int]) -> None:
        fake.files[name] |= files
        fake.owners[name] = owner

    @contextmanager
    def nothing_runs(*_: Any, **__: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(volume_files, "exists", lambda _, name: name in fake.files)
    monkeypatch.setattr(volume_files, "read", lambda _, image, name: dict(fake.files[name]))
    monkeypatch.setattr(volume_files, "write", write)
    monkeypatch.setattr(contents, "image_for", lambda *_: "image")
    monkeypatch.setattr(settings_here, "has_image", lambda *_: True)
    monkeypatch.setattr(facts, "elsewhere", lambda *_: "")
    monkeypatch.setattr(restore, "_without_nginx", nothing_runs)
    return fake


@pytest.fixture
def office(tmp_path: Path, docker: Volumes, now: datetime) -> Appliance:
    """An appliance that people use."""
    appliance = settle(tmp_path / "office", "COMPOSE_PROJECT_NAME=mine\nUI_SECRET=secret\n")
    folder = access.of(appliance)
    keys.add(folder, "ci", Limits(rpm=60), None, now)
    users.add(folder, "alice", HASH, Limits(), now)
    with folder.changing():
        folder.write("tls/server.pem", "certificate")
        folder.write("custom/10-mine.conf", "# mine")
    docker.files["mine_nginx-state"] = {
        "usage.json": b'{"2026-11-27|key:ci|requests":{"value":3}}',
        "usage.json.new": b"half",
        "signed-out/YWxpY2U": b"1",
    }
    return appliance
