"""A release gets a folder beside the present one, from a tag, a tarball, or it has one already."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.config import version
from appliance_cli.release import fetch


def tree(folder: Path, number: str, *, able: bool = True) -> Path:
    (folder / "scripts/appliance_cli" / ("release" if able else "stack")).mkdir(parents=True)
    (folder / "scripts/appliance_cli" / ("release" if able else "stack") / "__init__.py").touch()
    (folder / version.FILE).write_text(f'x-version: &version "{number}"\n')
    return folder


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    return subprocess.check_output(["git", "-C", str(folder), *who, *words], text=True).strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone at 1.2.0 whose origin has 1.3.0, too."""
    origin = tree(tmp_path / "origin", "1.2.0")
    git(origin, "init", "--quiet")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "1.2.0")
    git(origin, "tag", "v1.2.0")
    git(tmp_path, "clone", "--quiet", str(origin), "appliance")
    (origin / version.FILE).write_text('x-version: &version "1.3.0"\n')
    git(origin, "commit", "--quiet", "-am", "1.3.0")
    git(origin, "tag", "v1.3.0")
    return tmp_path / "appliance"


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    tree(tmp_path / "any-name", "1.3.0")
    subprocess.run(["tar", "-czf", "release.tar.gz", "any-name"], cwd=tmp_path, check=True)
    return tmp_path / "release.tar.gz"


def test_a_tag_becomes_a_clone_of_its_own_beside_this_one(clone: Path) -> None:
    folder = fetch.get(clone, "1.3.0", Output())
    assert folder == clone.with_name("appliance-1.3.0")
    assert version.of(folder) == "1.3.0"
    assert version.of(clone) == "1.2.0"
    assert git(folder, "remote", "get-url", "origin") == git(clone, "remote", "get-url", "origin")
    assert not (folder / ".git/objects/info/alternates").exists(), "it needs the former folder"
    assert fetch.get(clone, "v1.3.0", Output()) == folder, "a second time it is there"


def test_an_origin_that_does_not_answer_leaves_what_was_fetched_earlier(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(clone, "fetch", "--quiet", "--tags")
    git(clone, "remote", "set-url", "origin", str(clone.with_name("gone")))
    assert version.of(fetch.get(clone, "1.3.0", Output())) == "1.3.0"
    assert "from what was fetched earlier" in capsys.readouterr().err


def test_a_version_that_there_is_not_names_those_that_there_are(clone: Path) -> None:
    with pytest.raises(BadSetting) as failure:
        fetch.get(clone, "9.9.9", Output())
    assert failure.value.found == "this clone knows v1.3.0, v1.2.0"


def test_without_a_clone_there_are_no_versions(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="names no release") as failure:
        fetch.get(tmp_path, "1.3.0", Output())
    assert "is no clone" in failure.value.found


def test_a_tarball_is_unpacked_beside_this_folder(tmp_path: Path, tarball: Path) -> None:
    root = tree(tmp_path / "appliance-1.2.0", "1.2.0")
    folder = fetch.get(root, str(tarball), Output())
    assert folder == tmp_path / "appliance-1.3.0"
    assert version.of(folder) == "1.3.0"
    assert fetch.get(root, str(tarball), Output()) == folder
    assert not list(tmp_path.glob(".*")), "nothing half unpacked is left"


def test_a_folder_that_is_taken_is_not_touched(tmp_path: Path, tarball: Path) -> None:
    taken = tree(tmp_path / "appliance-1.3.0", "1.0.0")
    with pytest.raises(BadSetting, match="is taken"):
        fetch.get(tree(tmp_path / "appliance", "1.2.0"), str(tarball), Output())
    assert version.of(taken) == "1.0.0"


def test_what_is_no_release_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_text("no archive")
    with pytest.raises(StepFailed, match="could not be unpacked"):
        fetch.get(tree(tmp_path / "appliance", "1.2.0"), str(other), Output())
    assert not list(tmp_path.glob(".*"))


def test_a_release_from_before_this_command_cannot_take_over(tmp_path: Path) -> None:
    old = tree(tmp_path / "old", "1.0.0", able=False)
    with pytest.raises(BadSetting, match="no release that can take over"):
        fetch.get(tmp_path / "appliance", str(old), Output())
