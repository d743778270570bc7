"""A set is what was saved, to the byte, or it is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import ImageNotFound

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.compose import images
from appliance_cli.config import version
from appliance_cli.config.appliance import Appliance
from appliance_cli.stack import carried_set, carry
from appliance_cli.stack.carried_set import LIST, CarriedSet

IMAGES = ("nginx:local", "ui:local")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "set"
    (made / "wheels").mkdir(parents=True)
    (made / "images.tar").write_bytes(b"images" * 1000)
    (made / "wheels/one.whl").write_bytes(b"wheel")
    written(made)
    return made


def written(folder: Path) -> CarriedSet:
    return carried_set.write(folder, "1.2.3", "cpu", "org/model", IMAGES, {"MODE": "awq"}, lambda _: None)


def proof(folder: Path) -> str:
    with pytest.raises(StepFailed, match="nothing of it was used") as failure:
        carried_set.prove(folder, carried_set.read(folder), lambda _: None)
    return failure.value.found


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    told: list[str] = []
    carried = carried_set.read(folder)
    assert carried == written(folder)
    assert (carried.engine, carried.images, carried.settings) == ("cpu", IMAGES, {"MODE": "awq"})
    carried_set.prove(folder, carried, told.append)
    assert told == ["images.tar", "wheels/one.whl"]


def test_every_file_that_differs_is_named(folder: Path) -> None:
    (folder / "images.tar").write_bytes(b"Images" * 1000)
    (folder / "wheels/one.whl").unlink()
    assert proof(folder) == "images.tar: another SHA-256; wheels/one.whl: missing"
    (folder / "images.tar").write_bytes(b"images")
    assert "images.tar: 6 bytes in place of 6000" in proof(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "files": {}}',
        '{"format": 1, "files": {"a": 1}, "images": []}',
    ],
)
def test_another_folder_is_refused(text: str, folder: Path) -> None:
    (folder / LIST).write_text(text)
    with pytest.raises(BadSetting, match="not a folder that `images save` wrote"):
        carried_set.read(folder)


@pytest.mark.parametrize("name", ["/etc/passwd", "../elsewhere"])
def test_a_list_that_names_files_elsewhere_is_refused(name: str, folder: Path) -> None:
    content = json.loads((folder / LIST).read_text())
    content["files"][name] = content["files"]["images.tar"]
    (folder / LIST).write_text(json.dumps(content))
    with pytest.raises(BadSetting, match="not a folder"):
        carried_set.read(folder)


def test_a_set_of_another_version_is_refused(
    folder: Path, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "of", lambda _: "1.3.0")
    with pytest.raises(BadSetting, match="another version") as refusal:
        carry.load(appliance, folder, Output())
    assert refusal.value.found == "1.2.3"
    assert not appliance.env_file.exists()


def test_a_folder_with_something_in_it_is_not_written_into(folder: Path, appliance: Appliance) -> None:
    with pytest.raises(BadSetting, match="is not empty"):
        carry.save(appliance, folder, Output())


def test_an_image_without_a_tag_is_refused_before_anything_is_written(
    tmp_path: Path, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "of_services", lambda _: ["tgi@sha256:12"])
    with pytest.raises(BadSetting, match="by its digest") as refusal:
        carry.save(appliance, tmp_path / "new", Output())
    assert refusal.value.found == "tgi@sha256:12"
    assert not (tmp_path / "new").exists()


def client(ids: dict[str, str]) -> Any:
    def get(name: str) -> SimpleNamespace:
        if name not in ids:
            raise ImageNotFound(name)
        return SimpleNamespace(id=ids[name])

    return SimpleNamespace(images=SimpleNamespace(get=get))


def test_nothing_is_built_only_as_long_as_the_images_are_those_carried(
    folder: Path, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "of", lambda _: "1.2.3")
    here = {"nginx:local": "sha256:1", "ui:local": "sha256:2", "other": "sha256:3"}
    assert not carry.in_place(appliance, client(here))
    carry._record(appliance, client(here), carried_set.read(folder))
    assert carry.in_place(appliance, client(here))
    assert not carry.in_place(appliance, client(here | {"ui:local": "sha256:9"}))
    assert not carry.in_place(appliance, client({"nginx:local": "sha256:1"}))
    monkeypatch.setattr(version, "of", lambda _: "1.2.4")
    assert not carry.in_place(appliance, client(here))


def test_images_that_docker_did_not_take_are_named(folder: Path, appliance: Appliance) -> None:
    with pytest.raises(StepFailed) as failure:
        carry._record(appliance, client({"ui:local": "sha256:2"}), carried_set.read(folder))
    assert failure.value.found == "no nginx:local"
