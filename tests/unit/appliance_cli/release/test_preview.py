"""Whether a release may follow the one that runs, and what is said of it before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.compose import containers
from appliance_cli.compose.containers import Container
from appliance_cli.release import preview, releases
from appliance_cli.release.releases import Release
from appliance_cli.stack import watch

FINE = Container("id", "p-ui-1", "ui", "image", "running", "healthy", 0, 0, "2026-11-22T10:00:00Z")


@pytest.fixture
def former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """1.1.0, which runs and is well."""
    root = tmp_path / "appliance-1.1.0"
    root.mkdir()
    (root / ".env").write_text("COMPOSE_PROJECT_NAME=p\n")
    found = Release("p", "1.1.0", root, root / ".env", {})
    monkeypatch.setattr(preview, "docker_client", object)
    monkeypatch.setattr(releases, "running", lambda *_: found)
    monkeypatch.setattr(watch, "fetch_status", lambda _: {"state": "ready"})
    monkeypatch.setattr(containers, "of_project", lambda *_: (FINE,))
    return found


def folder(tmp_path: Path, number: str) -> Path:
    root = tmp_path / f"appliance-{number}-new"
    root.mkdir()
    (root / "docker-compose.yml").write_text(f'x-version: &version "{number}"\n')
    (root / "CHANGELOG.md").write_text(f"# Changelog\n\n## [{number}] - 2027-01-01\n\n- New.\n\n## [1.1.0]\n")
    return root


def test_a_newer_one_in_a_folder_of_its_own_may_follow(former: Release, tmp_path: Path) -> None:
    assert preview.present(folder(tmp_path, "1.2.0"), "p") == former


@pytest.mark.parametrize("number", ["1.1.0", "1.0.9"])
def test_one_that_is_not_newer_may_not(former: Release, tmp_path: Path, number: str) -> None:
    with pytest.raises(BadSetting, match="no newer release") as failure:
        preview.present(folder(tmp_path, number), "p")
    assert "rollback" in failure.value.remedy


def test_nor_one_whose_folder_is_the_running_ones(
    former: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path, "1.2.0")
    monkeypatch.setattr(releases, "running", lambda *_: replace(former, root=root))
    with pytest.raises(BadSetting, match="runs already"):
        preview.present(root, "p")


def test_nor_where_its_name_is_not_in_its_settings(former: Release, tmp_path: Path) -> None:
    former.env_file.unlink()
    with pytest.raises(BadSetting, match="called otherwise") as failure:
        preview.present(folder(tmp_path, "1.2.0"), "p")
    assert failure.value.expected.startswith("COMPOSE_PROJECT_NAME=p in ")


def test_nor_where_the_way_back_is_gone(former: Release, tmp_path: Path) -> None:
    former.env_file.unlink()
    former.root.rmdir()
    with pytest.raises(HostNotReady, match="no way back"):
        preview.present(folder(tmp_path, "1.2.0"), "p")


@pytest.mark.parametrize(
    ("status", "found", "said"),
    [
        (None, (FINE,), "no answer"),
        ({"state": "loading"}, (FINE,), "loading"),
        ({"state": "ready"}, (replace(FINE, health="unhealthy"),), "ready, not fine: p-ui-1"),
    ],
)
def test_nor_where_the_running_one_is_not_well(
    former: Release,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: dict[str, Any] | None,
    found: tuple[Container, ...],
    said: str,
) -> None:
    monkeypatch.setattr(watch, "fetch_status", lambda _: status)
    monkeypatch.setattr(containers, "of_project", lambda *_: found)
    with pytest.raises(HostNotReady, match="not well") as failure:
        preview.present(folder(tmp_path, "1.2.0"), "p")
    assert failure.value.found == said


def test_it_says_what_changes_and_changes_nothing(
    former: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(tmp_path, "2.0.0")
    former.env_file.write_text("COMPOSE_PROJECT_NAME=p\nTLS_CERT_FILE=tls/cert.pem\nUI_REPLICA=5\n")
    before = sorted(tmp_path.rglob("*"))
    preview.tell(former, root, Output())
    told = capsys.readouterr()
    assert told.out == "## [2.0.0] - 2027-01-01\n\n- New.\n"
    assert f"TLS_CERT_FILE={former.root}/tls/cert.pem" in told.err
    assert "TLS_CERT_FILE stays in the former folder" in told.err
    assert "nothing reads UI_REPLICA" in told.err
    assert "another major version" in told.err
    assert sorted(tmp_path.rglob("*")) == before
