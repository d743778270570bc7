"""Which release runs, what is noted of former ones, and which images stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.release import images, releases, rollback
from appliance_cli.release.releases import Release

LABEL = "com.docker.compose"


@dataclass
class FakeContainer:
    labels: dict[str, str]
    attrs: dict[str, Any]


@dataclass
class FakeImage:
    id: str
    tags: list[str]

    def tag(self, repository: str, tag: str) -> None:
        self.tags.append(f"{repository}:{tag}")


@dataclass
class FakeDocker:
    """Docker's containers and images, as far as they are asked for here."""

    found: list[FakeContainer] = field(default_factory=list)
    known: dict[str, FakeImage] = field(default_factory=dict)
    in_use: tuple[str, ...] = ()

    @property
    def containers(self) -> FakeDocker:
        return self

    @property
    def images(self) -> FakeDocker:
        return self

    def list(self, *, filters: dict[str, Any], **_: object) -> list[FakeContainer]:
        wanted = dict(each.split("=", 1) for each in filters["label"])
        return [each for each in self.found if wanted.items() <= each.labels.items()]

    def get(self, image: str) -> FakeImage:
        if image not in self.known:
            raise ImageNotFound(image)
        return self.known[image]

    def remove(self, name: str) -> None:
        if name in self.in_use:
            raise APIError("conflict")


def container(project: str, service: str, image: str, **more: str) -> FakeContainer:
    labels = {f"{LABEL}.project": project, f"{LABEL}.service": service, f"{LABEL}.oneoff": "False"}
    labels[f"{LABEL}.project.working_dir"] = f"/srv/{project}"
    labels["org.opencontainers.image.version"] = "1.1.0"
    return FakeContainer(labels | more, {"Config": {"Image": image}, "Image": f"sha256:{service}"})


def running(*projects: str, **more: str) -> DockerClient:
    found = [
        container(project, service, f"qwen-appliance/{service}:local", **more)
        for project in projects
        for service in ("nginx", "ui")
    ]
    foreign = container("shop", "nginx", "nginx:1.30")
    engine = container(projects[0], "tgi", "ghcr.io/x/tgi:3") if projects else foreign
    return cast(DockerClient, FakeDocker([*found, foreign, engine]))


def test_the_release_that_runs_is_read_from_its_containers() -> None:
    found = releases.running(running("office", "lab"), "office")
    assert found == Release(
        "office",
        "1.1.0",
        Path("/srv/office"),
        Path("/srv/office/.env"),
        {"qwen-appliance/nginx": "sha256:nginx", "qwen-appliance/ui": "sha256:ui"},
    )


def test_its_settings_are_the_file_that_it_was_started_with() -> None:
    client = running("office", **{f"{LABEL}.project.environment_file": "/etc/office.env"})
    assert releases.running(client, "office").env_file == Path("/etc/office.env")


def test_the_only_one_is_meant_whatever_it_is_called() -> None:
    assert releases.running(running("office"), "qwen-appliance").project == "office"


def test_of_several_one_must_be_named() -> None:
    with pytest.raises(HostNotReady, match="Several appliances") as failure:
        releases.running(running("office", "lab"), "qwen-appliance")
    assert failure.value.found == "lab, office"
    assert "COMPOSE_PROJECT_NAME" in failure.value.remedy


def test_where_none_runs_there_is_nothing_to_upgrade() -> None:
    with pytest.raises(HostNotReady, match="nothing to upgrade"):
        releases.running(running(), "qwen-appliance")


def of(version: str, root: Path = Path("/srv")) -> Release:
    return Release("p", version, root, root / ".env", {"qwen-appliance/ui": f"sha256:{version}"})


def test_what_is_noted_is_read_again(tmp_path: Path) -> None:
    known = [of("1.1.0"), of("1.2.0")]
    releases.keep(tmp_path, "p", known)
    assert releases.kept(tmp_path, "p") == known
    assert releases.kept(tmp_path, "other") == []
    releases.keep(tmp_path, "p", [])
    assert releases.kept(tmp_path, "p") == []


def test_a_damaged_note_is_refused_by_name(tmp_path: Path) -> None:
    releases.keep(tmp_path, "p", [of("1.1.0")])
    (file,) = (tmp_path / ".appliance").iterdir()
    file.write_text('[{"version": "1.1.0"}]')
    with pytest.raises(BadSetting) as failure:
        releases.kept(tmp_path, "p")
    assert str(file) in failure.value.found


def test_without_a_former_release_there_is_no_way_back(tmp_path: Path) -> None:
    releases.keep(tmp_path, "p", [of("1.2.0")])
    with pytest.raises(HostNotReady, match="no release to go back to"):
        rollback.noted(tmp_path, "p")


def test_without_its_folder_neither(tmp_path: Path) -> None:
    releases.keep(tmp_path, "p", [of("1.1.0", tmp_path / "gone"), of("1.2.0", tmp_path)])
    with pytest.raises(HostNotReady, match="folder of the former release is gone"):
        rollback.noted(tmp_path, "p")


def test_settings_changed_since_are_named_but_not_where_files_are() -> None:
    newer = {"HTTP_PORT": "80", "UI_REPLICAS": "5", "COMPOSE_FILE": "/new/docker-compose.yml", "TLS": "off"}
    older = {"HTTP_PORT": "80", "UI_REPLICAS": "3", "COMPOSE_FILE": "docker-compose.yml", "TLS": "off"}
    assert rollback.lost(newer, older) == ["UI_REPLICAS"]


def test_the_images_of_all_but_the_newest_are_superseded() -> None:
    known = [of("1.0.0"), of("1.1.0"), of("1.2.0")]
    assert images.superseded(known, 2) == ["qwen-appliance/ui:1.0.0"]
    assert images.superseded(known, 3) == []
    assert images.superseded([of("1.1.0"), of("1.2.0"), of("1.1.0")], 2) == []


def test_an_image_that_is_used_elsewhere_stays() -> None:
    docker = FakeDocker(in_use=("qwen-appliance/ui:1.0.0",))
    names = ["qwen-appliance/nginx:1.0.0", "qwen-appliance/ui:1.0.0"]
    assert images.drop(cast(DockerClient, docker), names) == ["qwen-appliance/nginx:1.0.0"]


def test_an_image_that_is_gone_is_told_before_any_gets_a_name() -> None:
    there = FakeImage("sha256:1", [])
    docker = cast(DockerClient, FakeDocker(known={"sha256:1": there}))
    with pytest.raises(HostNotReady, match="gone"):
        images.name(docker, {"qwen-appliance/ui": "sha256:1", "qwen-appliance/nginx": "sha256:2"}, "local")
    assert there.tags == []
    images.name(docker, {"qwen-appliance/ui": "sha256:1"}, "local")
    assert there.tags == ["qwen-appliance/ui:local"]


def test_what_is_built_here_gets_the_versions_name() -> None:
    services: dict[str, dict[str, Any]] = {
        "tgi": {"image": "qwen-appliance/cpu-engine:local", "build": {"context": "."}},
        "mine": {"image": "mine:local", "build": {"context": "."}},
        "prometheus": {"image": "prom/prometheus:v3"},
    }
    assert images.tagged(services, "1.2.0") == {"tgi": "qwen-appliance/cpu-engine:1.2.0"}
