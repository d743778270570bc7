"""What was backed up comes back: here, in another folder, for another user; or nothing is touched."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance_cli.backup import archive, make, restore, settings_here
from appliance_cli.backup.encryption import Decryption
from appliance_cli.base.errors import BadSetting, HostNotReady, StepFailed
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access, keys, users
from appliance_cli.door.accounts import Limits
from appliance_cli.host import facts
from harness.kept import Volumes, backed_up, restored, rewritten, settle, tree

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
USAGE = b'{"2026-11-27|key:ci|requests":{"value":3}}'


def names(file: Path) -> list[str]:
    with file.open("rb") as stream:
        return [each.name for each in archive.check(stream).files]


def test_everything_that_cannot_be_made_anew_is_in_it(
    office: Appliance, docker: Volumes, tmp_path: Path
) -> None:
    file = tmp_path / "b.tar.gz"
    made = backed_up(office, docker, file)
    assert names(file) == [
        "settings.env",
        *(f"access/{name}" for name in ("custom/10-mine.conf", "keys.json", "session.secret")),
        *(f"access/{name}" for name in ("tls/server.pem", "users.htpasswd", "users.json")),
        *("state/signed-out/YWxpY2U", "state/usage.json"),
    ]
    assert made.left_out == ()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["b.tar.gz"]


def test_it_comes_back_as_it_was_and_what_was_there_is_kept(
    office: Appliance, docker: Volumes, tmp_path: Path, now: datetime
) -> None:
    file = tmp_path / "b.tar.gz"
    before, env = tree(office.access_dir), office.env_file.read_bytes()
    backed_up(office, docker, file)
    folder = access.of(office)
    keys.revoke(folder, "ci")
    users.add(folder, "mallory", "$2b$10$" + "b" * 53, Limits(), now)
    with folder.changing():
        folder.write("custom/20-later.conf", "# later")
    dotenv_file.choose(office.env_file, {"HTTP_PORT": "9"}, "changed")
    docker.files["mine_nginx-state"]["usage.json"] = b"{}"
    changed = tree(office.access_dir)

    restored(file, office, docker)
    assert tree(office.access_dir) == before
    assert office.env_file.read_bytes() == env
    assert docker.files["mine_nginx-state"]["usage.json"] == USAGE
    assert docker.owners["mine_nginx-state"] == (office.owner.uid, office.owner.gid)

    (kept,) = (office.root / "backups").iterdir()
    restored(kept, office, docker)
    assert tree(office.access_dir) == changed
    assert "HTTP_PORT=9" in office.env_file.read_text()
    assert docker.files["mine_nginx-state"]["usage.json"] == b"{}"


def test_a_bare_folder_elsewhere_becomes_the_same_appliance(
    office: Appliance, docker: Volumes, tmp_path: Path
) -> None:
    certificate = office.root / "certs" / "cert.pem"
    certificate.parent.mkdir()
    certificate.write_text("cert")
    token = tmp_path / "outside" / "token"
    token.parent.mkdir()
    token.write_text("hf_x")
    (office.root / "mine.yml").write_text("services: {}\n")
    office.env_file.write_text(
        f"ACCESS_DIR={office.root}/nginx/access\nCOMPOSE_PROJECT_NAME=mine\nTLS_CERT_FILE={certificate}\n"
        f"HF_TOKEN_FILE={token}\nCOMPOSE_FILE={office.root}/docker-compose.yml:mine.yml\n"
    )
    file = tmp_path / "b.tar.gz"
    backed_up(office, docker, file)
    before = tree(office.access_dir)
    token.unlink()
    docker.files.clear()

    there = settle(tmp_path / "other machine", "")
    there.env_file.unlink()
    result = restored(file, there, docker)
    assert result.project == "mine"
    assert result.access_dir == there.root / "nginx/access"
    assert tree(result.access_dir) == before
    assert docker.files["mine_nginx-state"]["usage.json"] == USAGE
    assert not (there.root / "backups").exists()
    values = dotenv_file.read(there.env_file)
    assert values["COMPOSE_FILE"] == f"{there.root}/docker-compose.yml:mine.yml"
    assert (there.root / "mine.yml").read_text() == "services: {}\n"
    assert Path(values["TLS_CERT_FILE"]).read_text() == "cert"
    assert Path(values["HF_TOKEN_FILE"]).read_text() == "hf_x"
    assert stat.S_IMODE(settings_here.files_beside(there.env_file).stat().st_mode) == 0o700
    assert stat.S_IMODE(there.env_file.stat().st_mode) == 0o600


@AS_ROOT
def test_root_gives_everything_to_whom_it_belongs(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    office.env_file.write_text("COMPOSE_PROJECT_NAME=mine\nAPPLIANCE_USER=1234:1235\n")
    file = tmp_path / "b.tar.gz"
    backed_up(office, docker, file)
    there = settle(tmp_path / "there", "")
    os.chown(there.root, 2345, 2346)
    os.chown(there.env_file, 2345, 2346)
    result = restored(file, there, docker)
    inside = [result.access_dir, *result.access_dir.rglob("*")]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in inside} == {(1234, 1235)}
    kept = there.root / "backups"
    assert {path.stat().st_uid for path in (there.env_file, kept, *kept.iterdir())} == {2345}
    assert docker.owners["mine_nginx-state"] == (1234, 1235)


def test_another_user_becomes_the_one_that_nginx_runs_as(
    office: Appliance, docker: Volumes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b.tar.gz"
    backed_up(office, docker, file)
    there = settle(tmp_path / "there", "")
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with file.open("rb") as stream:
        plan = restore.plan(stream, there, docker)  # type: ignore[arg-type]
    assert plan.target.owner.uid == 4321
    assert plan.settings is not None
    assert plan.settings.reasons == [
        f"APPLIANCE_USER=4321:{os.getegid()}: nginx reads what this user's commands write"
    ]


def test_what_only_the_other_machine_had_is_looked_for_again(
    docker: Volumes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = "qwen-appliance/python-base:trixie"
    there = settle(tmp_path / "there", f"PYTHON_BASE={made}\nNGINX_BASE=mine:1\nGPU_DEVICE=GPU-4a\n")
    file = tmp_path / "b.tar.gz"
    backed_up(there, docker, file)
    monkeypatch.setattr(settings_here, "has_image", lambda *_: False)
    restored(file, there, docker)
    values = dotenv_file.read(there.env_file)
    assert values == {"PYTHON_BASE": "", "NGINX_BASE": "mine:1", "GPU_DEVICE": "GPU-4a"}
    rewritten(file, host="another machine")
    restored(file, there, docker)
    assert dotenv_file.read(there.env_file)["GPU_DEVICE"] == ""


def refused(file: Path, office: Appliance, docker: Volumes, error: type[Exception] = BadSetting) -> str:
    """Restoring is refused, and not a byte is changed."""
    before, volumes = tree(office.root), {name: dict(each) for name, each in docker.files.items()}
    with pytest.raises(error, match=r"nothing was changed|cannot be used") as failure:
        restored(file, office, docker)
    after = {name: data for name, data in tree(office.root).items() if not name.startswith(".appliance")}
    assert after == before
    assert docker.files == volumes
    return str(failure.value.found)  # type: ignore[attr-defined]


def test_a_damaged_backup_changes_nothing(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    backed_up(office, docker, file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-30])
    refused(file, office, docker)
    file.write_bytes(whole[:99] + bytes([whole[99] ^ 1]) + whole[100:])
    refused(file, office, docker)
    file.write_bytes(b"")
    refused(file, office, docker)


def test_a_newer_versions_backup_is_for_that_version(
    office: Appliance, docker: Volumes, tmp_path: Path
) -> None:
    file = tmp_path / "b.tar.gz"
    backed_up(office, docker, file)
    rewritten(file, version="1.10.0")
    assert refused(file, office, docker) == "version 1.10.0"
    rewritten(file, version="1.1.9")
    restored(file, office, docker)


def test_settings_that_cannot_work_are_refused(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    good = office.env_file.read_text()
    office.env_file.write_text("HTTP_PORT=9\n")
    backed_up(office, docker, file)
    rewritten(file, {"settings.env": b"HTTP_PORT=x\n"})
    office.env_file.write_text(good)
    assert "'x'" in refused(file, office, docker)


def test_an_appliance_that_runs_from_another_folder_is_not_touched(
    office: Appliance, docker: Volumes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b.tar.gz"
    backed_up(office, docker, file)
    monkeypatch.setattr(facts, "elsewhere", lambda *_: "/srv/first")
    assert refused(file, office, docker, HostNotReady) == "/srv/first"


def test_a_link_leads_nothing_out_of_the_folder(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    file, outside = tmp_path / "b.tar.gz", tmp_path / "outside"
    backed_up(office, docker, file)
    outside.mkdir()
    (office.access_dir / "tls" / "server.pem").unlink()
    (office.access_dir / "tls").rmdir()
    (office.access_dir / "tls").symlink_to(outside)
    assert str(outside) in refused(file, office, docker)
    assert list(outside.iterdir()) == []


def test_a_file_of_the_programs_own_is_never_replaced(
    office: Appliance, docker: Volumes, tmp_path: Path
) -> None:
    (office.root / "scripts").mkdir()
    (office.root / "scripts/evil.yml").write_text("was here\n")
    office.env_file.write_text("COMPOSE_FILE=docker-compose.yml:own.yml\nCOMPOSE_PROJECT_NAME=mine\n")
    (office.root / "own.yml").write_text("own\n")
    file = tmp_path / "b.tar.gz"
    backed_up(office, docker, file)
    assert "compose/own.yml" in names(file)
    rewritten(file, {"compose/scripts/evil.yml": b"evil", "compose/docker-compose.yml": b"evil"})
    restored(file, office, docker)
    assert (office.root / "scripts/evil.yml").read_text() == "was here\n"
    assert "evil" not in (office.root / "docker-compose.yml").read_text()


def test_a_folder_gets_dated_names_and_the_oldest_go(
    office: Appliance, docker: Volumes, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    others = ["mine-2026-11-27.tar.gz", "mine-other-2026-11-27T120000Z.tar.gz", "notes"]
    for name in others:
        (folder / name).touch()
    dated = []
    for hour in range(4):
        now = datetime(2026, 11, 27, hour, tzinfo=UTC)
        dated.append(make.target_of(folder, office.project, None, now))
        dated[-1].touch()
    assert dated[0].name == "mine-2026-11-27T000000Z.tar.gz"
    assert make.prune(folder, office.project, 3) == dated[:1]
    assert make.prune(folder, office.project, 3) == []
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*others, *(path.name for path in dated[1:])]
    )


def test_nothing_is_written_over_and_nothing_half_is_left(
    office: Appliance, docker: Volumes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    there = tmp_path / "there.tar.gz"
    there.touch()
    for target in (there, tmp_path / "nowhere" / "b.tar.gz"):
        with pytest.raises(BadSetting, match="cannot be written there"):
            make.target_of(target, office.project, None, now)

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    before = set(tmp_path.iterdir())
    with pytest.raises(StepFailed) as failure:
        backed_up(office, docker, tmp_path / "b.tar.gz")
    assert failure.value.found == "No space left on device"
    assert set(tmp_path.iterdir()) == before


def test_what_cannot_be_taken_in_is_said(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    (office.access_dir / "custom/20-linked.conf").symlink_to("/etc/hosts")
    office.env_file.write_text("COMPOSE_PROJECT_NAME=mine\nHF_TOKEN_FILE=/nowhere/token\n")
    made = backed_up(office, docker, tmp_path / "b.tar.gz")
    assert made.left_out == (
        f"{office.access_dir}/custom/20-linked.conf: a link",
        "HF_TOKEN_FILE: /nowhere/token: No such file or directory",
    )


def test_a_file_that_is_not_there_is_named(office: Appliance, docker: Volumes, tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as failure:
        restored(tmp_path / "none.tar.gz", office, docker, Decryption())
    assert failure.value.found == f"{tmp_path}/none.tar.gz: No such file or directory"
