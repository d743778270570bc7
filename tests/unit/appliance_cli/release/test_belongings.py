"""What goes along into the next release's folder: settings that mean the same there, keys as they were."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from docker import DockerClient

from appliance_cli.backup import archive
from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.config import version
from appliance_cli.release import belongings
from appliance_cli.release.releases import Release

FORMER, NEW = Path("/srv/appliance-1.1.0"), Path("/srv/appliance-1.2.0")


def release(root: Path, env_file: Path) -> Release:
    return Release("p", "1.1.0", root, env_file, {})


@pytest.mark.parametrize(
    ("name", "given", "there"),
    [
        ("COMPOSE_FILE", "docker-compose.yml:compose.cpu.yml", None),
        ("COMPOSE_FILE", "docker-compose.yml:compose.engine.p.yml", None),
        (
            "COMPOSE_FILE",
            f"{FORMER}/docker-compose.yml:{FORMER}/compose.cpu.yml",
            f"{NEW}/docker-compose.yml:{NEW}/compose.cpu.yml",
        ),
        ("COMPOSE_FILE", "docker-compose.yml:mine.yml", f"docker-compose.yml:{FORMER}/mine.yml"),
        ("COMPOSE_FILE", "docker-compose.yml:/etc/mine.yml", None),
        ("ACCESS_DIR", "./keys", None),
        ("ACCESS_DIR", "/etc/keys", None),
        ("ACCESS_DIR", f"{FORMER}/keys", f"{NEW}/keys"),
        ("ACCESS_DIR", "../keys", "/srv/keys"),
        ("TLS_KEY_FILE", "tls/key.pem", f"{FORMER}/tls/key.pem"),
        ("CA_BUNDLE", "/dev/null", None),
        ("HTTP_PORT", "8080", None),
    ],
)
def test_a_path_means_the_same_in_the_new_folder(name: str, given: str, there: str | None) -> None:
    assert belongings.moved({name: given}, FORMER, NEW) == ({} if there is None else {name: there})


def test_env_goes_along_to_the_byte_and_stays_private(tmp_path: Path) -> None:
    former, new = tmp_path / "a-1.1.0", tmp_path / "a-1.2.0"
    former.mkdir()
    new.mkdir()
    text = "# mine\nUI_SECRET='x # y'\nCA_BUNDLE=ca.pem\n"
    (former / ".env").write_text(text)
    taken = belongings.take_env(release(former, former / ".env"), new)
    assert taken == new / ".env"
    assert taken.read_text() == text.replace("ca.pem", f"{former}/ca.pem")
    assert taken.stat().st_mode & 0o777 == 0o600
    assert (former / ".env").read_text() == text


def test_an_env_outside_the_folder_serves_both_and_is_put_back_to_the_byte(tmp_path: Path) -> None:
    former, new, shared = tmp_path / "a-1.1.0", tmp_path / "a-1.2.0", tmp_path / "shared.env"
    text = f"COMPOSE_FILE={former}/docker-compose.yml\r\nHTTP_PORT=8080\r\n"
    shared.write_bytes(text.encode())
    before = release(former, shared)
    kept = belongings.kept(new, "1.2.0")
    kept.mkdir(parents=True)
    (kept / "env").write_bytes(shared.read_bytes())
    assert belongings.take_env(before, new) == shared
    assert f"COMPOSE_FILE={new}/docker-compose.yml\r\n" in shared.read_bytes().decode()
    belongings.restore_env(before, new, kept)
    assert shared.read_bytes() == text.encode()


def test_an_env_of_the_former_folder_is_its_own(tmp_path: Path) -> None:
    former, new = tmp_path / "a-1.1.0", tmp_path / "a-1.2.0"
    kept = belongings.kept(new, "1.2.0")
    kept.mkdir(parents=True)
    (kept / "env").write_text("HTTP_PORT=1\n")
    former.mkdir()
    (former / ".env").write_text("HTTP_PORT=2\n")
    belongings.restore_env(release(former, former / ".env"), new, kept)
    assert (former / ".env").read_text() == "HTTP_PORT=2\n"


def test_keys_go_along_with_their_modes_and_what_was_revoked_stays_away(tmp_path: Path) -> None:
    source, target = tmp_path / "from/access", tmp_path / "to/access"
    for folder, file in ((source, "keys.json"), (target, "revoked.json")):
        folder.mkdir(parents=True)
        (folder / file).write_text("{}")
        (folder / file).chmod(0o640)
    source.chmod(0o700)
    belongings.mirror(source, target)
    assert [path.name for path in target.iterdir()] == ["keys.json"]
    assert (target / "keys.json").stat().st_mode & 0o777 == 0o640
    assert target.stat().st_mode & 0o777 == 0o700


def test_one_place_for_both_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    belongings.mirror(tmp_path, tmp_path)
    assert (tmp_path / "keys.json").exists()


def test_keys_that_cannot_be_copied_leave_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "from", tmp_path / "to"
    for folder in (source, target):
        folder.mkdir()
    (target / "keys.json").write_text("{}")
    program = tmp_path / "bin/cp"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'cp: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(StepFailed, match="could not be copied"):
        belongings.mirror(source, target)
    assert (target / "keys.json").exists()


def test_what_was_before_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    class Client:
        class volumes:
            @staticmethod
            def list(**_: object) -> list[object]:
                return []

    former = tmp_path / "appliance"
    (former / "nginx/access").mkdir(parents=True)
    (former / "nginx/access/keys.json").write_text("{}")
    (former / ".env").write_text("UI_SECRET=x\n")
    (former / version.FILE).write_text('x-version: &version "1.0.0"\n')
    folder = belongings.kept(former, "1.2.0")
    belongings.put_aside(cast(DockerClient, Client()), release(former, former / ".env"), folder, Output())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "env").read_text() == "UI_SECRET=x\n"
    with (folder / belongings.BACKUP).open("rb") as stream:
        manifest, files = archive.read(stream)
    assert manifest.version == "1.0.0"
    assert files == {"settings.env": b"UI_SECRET=x\n", "access/keys.json": b"{}"}
