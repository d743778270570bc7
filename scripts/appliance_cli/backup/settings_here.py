"""A backup's settings as they have to be here: another folder, another machine, another user.

Pure but for looking at which files and images are there. Says what it changed, and why.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker import DockerClient

from appliance_cli.backup.archive import NAMED, Manifest
from appliance_cli.backup.contents import NAMED_FILES, named_file
from appliance_cli.compose.client import has_image
from appliance_cli.config import dotenv_file
from appliance_cli.config.table import default_of
from appliance_cli.host import base_images

HEADING = "Changed by ./scripts/appliance restore, for this machine."
_PATHS = ("ACCESS_DIR", "MODEL_FOLDER", *NAMED_FILES)


@dataclass
class SettingsHere:
    """The text of .env, and each change with its reason; ``kept``: the named files that go beside it."""

    text: str
    changed: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    kept: dict[str, Path] = field(default_factory=dict)

    def choose(self, name: str, value: str, why: str) -> None:
        """Have another value than the backup's."""
        self.changed[name] = value
        self.reasons.append(f"{name}={value}: {why}")


def adapted(
    text: str,
    manifest: Manifest,
    root: Path,
    env_file: Path,
    client: DockerClient,
) -> SettingsHere:
    """The settings of a backup made for ``root`` on this machine, by this user."""
    here = SettingsHere(text)
    values = dict(dotenv_file.parse(text))
    _move(here, values, manifest.root, str(root))
    values |= here.changed
    if os.geteuid() != 0:
        mine = f"{os.geteuid()}:{os.getegid()}"
        if values.get("APPLIANCE_USER", "") != mine:
            here.choose("APPLIANCE_USER", mine, "nginx reads what this user's commands write")
    _access_dir(here, values, root)
    for recipe in base_images.RECIPES:
        image = values.get(recipe.key, "")
        if image in (recipe.made, *recipe.former) and not has_image(client, image):
            here.choose(recipe.key, "", f"{image} is not on this machine; up finds another or makes it")
    if values.get("GPU_DEVICE", "").startswith("GPU-") and manifest.host != socket.gethostname():
        here.choose("GPU_DEVICE", "", "that card is in another machine; up finds this one's")
    _named(here, values, manifest, root, env_file)
    here.text = dotenv_file.merged(text, {}, here.changed, HEADING)
    return here


def files_beside(env_file: Path) -> Path:
    """Where the files go that settings named at a place that this machine does not have."""
    return env_file.with_name(f"{env_file.name}.files")


def _move(here: SettingsHere, values: Mapping[str, str], old: str, new: str) -> None:
    if old == new:
        return
    for name in (*_PATHS, "COMPOSE_FILE"):
        value = values.get(name, "")
        moved = ":".join(_moved(part, old, new) for part in value.split(":"))
        if moved != value:
            here.choose(name, moved, f"it was below {old}")


def _moved(path: str, old: str, new: str) -> str:
    return f"{new}{path.removeprefix(old)}" if path == old or path.startswith(f"{old}/") else path


def _access_dir(here: SettingsHere, values: Mapping[str, str], root: Path) -> None:
    value = values.get("ACCESS_DIR") or default_of("ACCESS_DIR")
    nearest = named_file(root, value)
    while not nearest.exists():
        nearest = nearest.parent
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=True) and nearest != named_file(root, value):
        here.choose("ACCESS_DIR", default_of("ACCESS_DIR"), f"{value} cannot be made by this user")


def _named(
    here: SettingsHere, values: Mapping[str, str], manifest: Manifest, root: Path, env_file: Path
) -> None:
    inside = {file.name for file in manifest.of(NAMED)}
    for name in NAMED_FILES:
        value = values.get(name, "")
        if f"{NAMED}/{name}" in inside and value and not os.path.isfile(named_file(root, value)):
            target = files_beside(env_file) / name
            here.kept[f"{NAMED}/{name}"] = target
            here.choose(name, str(target), f"there is no {value} on this machine")
