"""What uninstall lists, keeps and removes, with a table in Docker's place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, NotFound
from typer.testing import CliRunner

from appliance_cli.base.errors import HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.cli import uninstall as commands
from appliance_cli.cli.app import app
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.door import access, keys
from appliance_cli.door.accounts import Limits
from appliance_cli.host import facts, service_unit, way_out
from appliance_cli.stack import lifecycle, uninstall

LABEL = "com.docker.compose.project"


class Docker:
    """One appliance, `mine`, beside another project that runs an image of the same name, and a stranger."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.refuses: dict[str, Exception] = {}
        self.containers = SimpleNamespace(list=self._containers, get=self._get)
        self.networks = SimpleNamespace(
            list=lambda filters: [SimpleNamespace(name="mine_edge")], get=self._get
        )
        self.volumes = SimpleNamespace(get=self._get)
        self.images = SimpleNamespace(remove=self._remove)

    def _containers(self, **_: Any) -> list[SimpleNamespace]:
        rows = [
            ("mine-nginx-1", "mine", "sha-nginx"),
            ("mine-prometheus-1", "mine", "sha-prometheus"),
            ("yours-ui-1", "yours", "sha-ui"),
            ("stranger", None, "sha-stranger"),
        ]
        return [
            SimpleNamespace(
                attrs={
                    "Names": [f"/{name}"],
                    "Labels": {LABEL: project} if project else None,
                    "ImageID": image,
                }
            )
            for name, project, image in rows
        ]

    def df(self) -> dict[str, Any]:
        def volume(name: str, project: str, count: int) -> dict[str, Any]:
            return {"Name": name, "Labels": {LABEL: project}, "UsageData": {"Size": count}}

        def image(id_: str, tag: str, count: int, shared: int) -> dict[str, Any]:
            return {"Id": id_, "RepoTags": [tag], "Size": count, "SharedSize": shared}

        return {
            "Volumes": [
                volume("mine_models", "mine", 15_000_000_000),
                volume("mine_nginx-state", "mine", 20_000),
                volume("mine_prometheus", "mine", 2_000_000),
                volume("mine_inside", "mine", 32),
                volume("yours_models", "yours", 9),
                volume("mine_models-copy", "someone", 9),
            ],
            "Images": [
                image("sha-nginx", "qwen-appliance/nginx:local", 300, 200),
                image("sha-prometheus", "prom/prometheus:v3", 400, 0),
                image("sha-ui", "qwen-appliance/ui:local", 500, 200),
                image("sha-tgi", "ghcr.io/huggingface/text-generation-inference:3.3.7", 12_000_000_000, -1),
                image("sha-stranger", "postgres:17", 600, 0),
                {"Id": "sha-none", "RepoTags": None, "Size": 1, "SharedSize": 0},
            ],
        }

    def _get(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remove=lambda **_: self._remove(name))

    def _remove(self, name: str) -> None:
        if name in self.refuses:
            raise self.refuses[name]
        self.removed.append(name)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Docker:
    monkeypatch.setattr(facts, "elsewhere", lambda *_: "")
    monkeypatch.setattr(lifecycle, "take_down", lambda *_, **__: None)
    monkeypatch.setattr(service_unit, "installed", lambda _: [])
    monkeypatch.setattr(way_out, "removals", lambda project: [["iptables", "-D", f"{project}_edge"]])
    return Docker()


@pytest.fixture
def mine(tmp_path: Path, now: datetime) -> Appliance:
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=mine\n")
    appliance = load(tmp_path, tmp_path / ".env")
    keys.add(access.of(appliance), "ci", Limits(), None, now)
    (appliance.access_dir / ".gitignore").write_text("*\n")
    (tmp_path / "compose.engine.mine.yml").touch()
    (tmp_path / "compose.engine.yours.yml").touch()
    (tmp_path / "README.md").touch()
    return appliance


Find = Callable[..., uninstall.Found]


@pytest.fixture
def find(mine: Appliance, docker: Docker) -> Find:
    def look(**kept: bool) -> uninstall.Found:
        options = {"keep_model": False, "keep_data": False, **kept}
        return uninstall.find(mine, docker, **options)  # type: ignore[arg-type]

    return look


def test_everything_of_it_is_listed_and_nothing_of_others(find: Find, mine: Appliance) -> None:
    found = find()
    assert found.of("container") == ["mine-nginx-1", "mine-prometheus-1"]
    assert found.of("network") == ["mine_edge"]
    assert found.of("rule") == ["iptables DOCKER-USER"]
    assert found.of("volume") == ["mine_models", "mine_nginx-state", "mine_prometheus", "mine_inside"]
    assert found.of("image") == [
        "qwen-appliance/nginx:local",
        "prom/prometheus:v3",
        "ghcr.io/huggingface/text-generation-inference:3.3.7",
    ]
    assert [Path(name).name for name in found.of("file")] == [
        *(".env", "compose.engine.mine.yml"),
        *(".lock", "keys.json"),
    ]
    assert "image qwen-appliance/ui:local: container yours-ui-1 uses it" in found.stays
    text = uninstall.shown(found)
    assert "15.0 GB  the downloaded models" in text
    assert "100 B" in text, "what an image shares with others is not freed with it"
    assert text.splitlines()[-1].split() == ["total", "27.0", "GB"]


def test_what_is_to_be_kept_is_not_listed(find: Find, mine: Appliance) -> None:
    kept = find(keep_model=True, keep_data=True)
    assert kept.of("volume") == ["mine_inside"]
    assert kept.of("file") == []
    assert [line for line in kept.stays if "mine_models" in line]
    assert find(keep_model=True).of("volume") == ["mine_nginx-state", "mine_prometheus", "mine_inside"]
    assert find(keep_data=True).of("volume") == ["mine_models", "mine_inside"]


def test_what_is_listed_goes_and_nothing_else(find: Find, mine: Appliance, docker: Docker) -> None:
    found = find()
    docker.refuses = {
        "mine_models": APIError("in use", explanation="volume is in use"),
        "mine_edge": NotFound("gone"),
    }
    left = uninstall.remove(mine, docker, found, Output())  # type: ignore[arg-type]
    assert left == ["mine_models: volume is in use"]
    in_docker = [thing.name for thing in found.goes if thing.kind not in ("file", "unit", "rule")]
    assert docker.removed == [name for name in in_docker if name not in docker.refuses]
    assert not mine.env_file.exists()
    assert [path.name for path in mine.access_dir.iterdir()] == [".gitignore"]
    assert (mine.root / "compose.engine.yours.yml").exists() and (mine.root / "README.md").exists()


def test_a_link_is_removed_and_not_what_it_leads_to(find: Find, mine: Appliance, docker: Docker) -> None:
    outside = mine.root / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (mine.access_dir / "custom").symlink_to(outside)
    uninstall.remove(mine, docker, find(), Output())  # type: ignore[arg-type]
    assert (outside / "precious").exists()
    assert not (mine.access_dir / "custom").is_symlink()


def test_another_folders_appliance_is_left_alone(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "elsewhere", lambda *_: "/srv/first")
    with pytest.raises(HostNotReady, match="runs from another folder; nothing was changed"):
        find()


def run(mine: Appliance, *options: str) -> Any:
    return CliRunner().invoke(app, ["--env-file", str(mine.env_file), "uninstall", *options])


def test_nothing_goes_before_somebody_agreed(
    mine: Appliance, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "docker_client", lambda **_: docker)
    monkeypatch.setenv("ACCESS_DIR", str(mine.access_dir))
    result = run(mine)
    assert result.exit_code == 3 and "mine_models" in result.stdout
    assert docker.removed == [] and mine.env_file.exists()
    assert run(mine, "--yes", "--keep-data").exit_code == 0
    assert "mine_models" in docker.removed and "mine_nginx-state" not in docker.removed
    assert mine.env_file.exists()


def test_what_docker_keeps_is_said(mine: Appliance, docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "docker_client", lambda **_: docker)
    monkeypatch.setenv("ACCESS_DIR", str(mine.access_dir))
    docker.refuses = {"mine_models": APIError("in use", explanation="volume is in use")}
    result = run(mine, "--yes", "--keep-data", "--json")
    assert result.exit_code == 4
    assert "mine_models: volume is in use" in result.stderr
