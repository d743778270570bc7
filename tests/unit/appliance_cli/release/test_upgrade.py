"""What an upgrade leaves behind, wherever it fails, and what it keeps when it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.backup import make
from appliance_cli.base.errors import ApplianceFailed, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.compose import containers
from appliance_cli.compose.containers import Container
from appliance_cli.config.appliance import Appliance
from appliance_cli.release import belongings, images, question, releases, rollback, switch, timer, upgrade
from appliance_cli.release.releases import Release
from appliance_cli.stack import prepare


class Played:
    """An appliance whose 1.1.0 runs and whose 1.2.0 takes over; ``fails`` names the step that fails."""

    def __init__(self, folder: Path) -> None:
        self.steps: list[str] = []
        self.fails = ""
        self.new = self._tree(folder / "appliance-1.2.0", "1.2.0")
        root = self._tree(folder / "appliance-1.1.0", "1.1.0")
        self.env_file = folder / "shared.env"
        self.env_file.write_text(f"COMPOSE_FILE={root}/docker-compose.yml\nHTTP_PORT=8081\n")
        self.former = Release("p", "1.1.0", root, self.env_file, {"qwen-appliance/ui": "sha256:former"})

    def step(self, name: str, answer: Any = None) -> Any:
        self.steps.append(name)
        if name == self.fails:
            raise StepFailed(f"{name} failed", expected="this", found="that", remedy="do it")
        return answer

    def run(self) -> None:
        upgrade.upgrade(self.former, self.new, Output())

    @staticmethod
    def _tree(folder: Path, number: str) -> Path:
        folder.mkdir()
        (folder / "docker-compose.yml").write_text(f'x-version: &version "{number}"\n')
        return folder


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played(tmp_path)
    broken = Container("new", "p-ui-4", "ui", "i", "restarting", "", 1, 9, "")
    steps: list[tuple[Any, str, Callable[..., Any]]] = [
        (upgrade, "docker_client", lambda timeout: None),
        (rollback, "docker_client", lambda timeout: None),
        (make, "make", lambda _appliance, _client, target, _output: target.write_bytes(b"all of it")),
        (prepare, "prepare", lambda request, _: played.step("prepare", request.appliance)),
        (images, "build", lambda *_: played.step("build", {"qwen-appliance/ui": "sha256:new"})),
        (images, "name", lambda _, given, tag: played.step(f"{next(iter(given.values()))} is {tag}")),
        (images, "drop", lambda _, names: played.step(f"drop {' '.join(names)}", names)),
        (switch, "to", lambda appliance, *_: played.step(f"switch to {appliance.root.name}")),
        (switch, "remove", lambda _, gone: played.step(f"remove {' '.join(c.id for c in gone)}")),
        (question, "require_answer", lambda _: played.step("ask", "Paris.")),
        (timer, "follow", lambda appliance, _: played.step(f"timer in {appliance.root.name}")),
        (containers, "of_project", lambda *_: (broken,)),
    ]
    for module, name, function in steps:
        monkeypatch.setattr(module, name, function, raising=name != "docker_client")
    return played


def test_the_new_release_is_built_before_the_present_one_is_touched(played: Played) -> None:
    played.run()
    assert played.steps == [
        "prepare",
        "build",
        "sha256:former is 1.1.0",
        "switch to appliance-1.2.0",
        "ask",
        "drop ",
        "timer in appliance-1.2.0",
    ]
    assert [each.version for each in releases.kept(played.new, "p")] == ["1.1.0", "1.2.0"]
    assert f"COMPOSE_FILE={played.new}/docker-compose.yml" in played.env_file.read_text()
    kept = belongings.kept(played.new, "1.2.0")
    assert kept.stat().st_mode & 0o777 == 0o700
    assert f"COMPOSE_FILE={played.former.root}/" in (kept / "env").read_text()


@pytest.mark.parametrize("step", ["prepare", "build"])
def test_what_fails_before_the_switch_leaves_the_present_one_alone(played: Played, step: str) -> None:
    before, played.fails = played.env_file.read_bytes(), step
    with pytest.raises(StepFailed, match=step):
        played.run()
    assert not [each for each in played.steps if each.startswith("switch")]
    assert played.env_file.read_bytes() == before
    assert releases.kept(played.new, "p") == []


@pytest.mark.parametrize("step", ["switch to appliance-1.2.0", "ask"])
def test_what_fails_after_it_gives_the_former_one_its_place_again(
    played: Played, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, played.fails = played.env_file.read_bytes(), step
    seen: list[bytes] = []

    def to(appliance: Appliance, *_: object) -> None:
        seen.append(played.env_file.read_bytes())
        played.step(f"switch to {appliance.root.name}")

    monkeypatch.setattr(switch, "to", to)
    with pytest.raises(StepFailed, match=step):
        played.run()
    assert played.steps[-3:] == ["remove new", "switch to appliance-1.1.0", "drop qwen-appliance/ui:1.2.0"]
    assert seen[-1] == before, "it comes back with its own settings"
    assert releases.kept(played.new, "p") == []


def test_ctrl_c_in_the_midst_of_it_goes_back_too(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Appliance) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(question, "require_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        played.run()
    assert "switch to appliance-1.1.0" in played.steps


def test_older_releases_go_as_far_as_they_are_not_kept(played: Played) -> None:
    root = played.new.with_name("appliance-1.0.0")
    older = Release("p", "1.0.0", root, played.env_file, {"qwen-appliance/ui": "sha256:older"})
    releases.keep(played.former.root, "p", [older, played.former])
    played.run()
    assert "drop qwen-appliance/ui:1.0.0" in played.steps
    assert [each.version for each in releases.kept(played.new, "p")] == ["1.1.0", "1.2.0"]


def test_going_back_takes_the_former_folder_and_settings_and_builds_nothing(played: Played) -> None:
    before = played.env_file.read_bytes()
    played.run()
    played.steps.clear()
    rollback.rollback(rollback.noted(played.new, "p"), Output())
    assert played.steps == ["switch to appliance-1.1.0", "ask", "timer in appliance-1.1.0"]
    assert played.env_file.read_bytes() == before
    assert releases.kept(played.new, "p") == releases.kept(played.former.root, "p") == []


def test_with_three_kept_one_can_go_back_twice(played: Played) -> None:
    root = played._tree(played.new.with_name("appliance-1.0.0"), "1.0.0")
    older = Release("p", "1.0.0", root, played.env_file, {"qwen-appliance/ui": "sha256:older"})
    releases.keep(played.former.root, "p", [older, played.former])
    played.env_file.write_text(f"{played.env_file.read_text()}KEEP_RELEASES=3\n")
    played.run()
    assert [each.version for each in releases.kept(played.new, "p")] == ["1.0.0", "1.1.0", "1.2.0"]
    rollback.rollback(rollback.noted(played.new, "p"), Output())
    assert [each.version for each in rollback.noted(played.former.root, "p")] == ["1.0.0", "1.1.0"]


def test_a_door_that_does_not_answer_is_told_as_what_it_is(
    played: Played, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: Appliance) -> str:
        raise ApplianceFailed("It runs and does not answer", expected="this", found="that", remedy="do it")

    monkeypatch.setattr(question, "require_answer", refused)
    with pytest.raises(ApplianceFailed):
        played.run()
    told = capsys.readouterr().err
    assert "1.2.0 did not come up" in told
    assert "It runs and does not answer" in told
    assert "1.1.0 runs as before" in told
