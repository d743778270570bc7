"""What of an appliance is backed up: settings, access directory, usage, and the files that settings name.

The one list of it; what is not in it is made anew by `up` (images, the plan for the card) or comes again
(models, unless they are asked for). The access directory is read while no other command changes it.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker import DockerClient

from appliance_cli.backup.archive import ACCESS, COMPOSE, NAMED, SETTINGS, STATE, Content, is_allowed
from appliance_cli.compose import volume_files
from appliance_cli.compose.volumes import USAGE
from appliance_cli.config import dotenv_file
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access
from appliance_cli.host import base_images

NGINX_IMAGE = "qwen-appliance/nginx:local"
# Settings whose value is a file of the operator's.
NAMED_FILES = ("TLS_CERT_FILE", "TLS_KEY_FILE", "HF_TOKEN_FILE", "CA_BUNDLE")
# Of nginx's volume: the usage and its copy, who signed out, the last good additions to nginx.
_OF_STATE = re.compile(r"usage\.json(?:\.backup)?|custom\.good\.tar|signed-out/[\w-]+")
_OURS = re.compile(r"docker-compose\.yml|compose\.cpu\.yml|compose\.engine\..*\.yml")
_COMPOSE_SUFFIXES = (".yml", ".yaml", ".json")


@dataclass
class Collected:
    """The files by their names in the backup, and what is not in it, with the reason."""

    files: dict[str, Content] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, name: str, data: bytes, mode: int) -> None:
        """Take one file in, if its name can be."""
        if is_allowed(name):
            self.files[name] = Content(data, stat.S_IMODE(mode) & 0o777)
        else:
            self.left_out.append(f"{name!r}: its name cannot be kept")


def collect(appliance: Appliance, client: DockerClient) -> Collected:
    """Everything but models. Raises HostNotReady or StepFailed for what cannot be read."""
    found = Collected()
    if appliance.env_file.exists():
        found.add(SETTINGS, appliance.env_file.read_bytes(), appliance.env_file.stat().st_mode)
    _access(appliance, found)
    volume = f"{appliance.project}_{USAGE}"
    if volume_files.exists(client, volume):
        image = image_for(client, appliance)
        for name, data in sorted(volume_files.read(client, image, volume).items()):
            if _OF_STATE.fullmatch(name):
                found.add(f"{STATE}/{name}", data, 0o600)
    values = given_values.read(appliance.env_file)
    _named(appliance, values, found)
    for name, path in own_compose_files(appliance.root, values.get("COMPOSE_FILE", "")).items():
        found.add(f"{COMPOSE}/{name}", path.read_bytes(), path.stat().st_mode)
    return found


def image_for(client: DockerClient, appliance: Appliance) -> str:
    """An image by which the volumes can be read and written. Raises HostNotReady."""
    bases = [name for recipe in base_images.RECIPES for name in (recipe.made, recipe.upstream)]
    names = (NGINX_IMAGE, appliance.nginx_base, appliance.python_base, *bases)
    return volume_files.usable_image(client, tuple(dict.fromkeys(names)))


def named_file(root: Path, value: str) -> Path:
    """The file that a setting names, as config/door.py and Compose take it."""
    return root / Path(value).expanduser()


def own_compose_files(root: Path, compose_file: str) -> dict[str, Path]:
    """The operator's own Compose files below the appliance's folder, by their path in it."""
    paths = (Path(os.path.normpath(root / part)) for part in compose_file.split(":") if part)
    below = {str(path.relative_to(root)): path for path in paths if path.is_relative_to(root)}
    return {name: path for name, path in below.items() if is_own_compose_file(name) and path.is_file()}


def is_own_compose_file(name: str) -> bool:
    """Whether a file below the appliance's folder is one that the operator added to Compose's."""
    return not _OURS.fullmatch(name) and name.endswith(_COMPOSE_SUFFIXES)


def _access(appliance: Appliance, found: Collected) -> None:
    folder = access.of(appliance)
    if not folder.path.exists():
        return
    with folder.changing():
        for name, path in access_files(folder.path):
            if path.is_symlink():
                found.left_out.append(f"{path}: a link")
            else:
                found.add(f"{ACCESS}/{name}", path.read_bytes(), path.stat().st_mode)


def access_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of an access directory by their path in it: neither the lock nor what git has there."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if (path.is_file() or path.is_symlink()) and not hidden and name.name not in access.NOT_OURS:
            yield str(name), path


def _named(appliance: Appliance, values: Mapping[str, str], found: Collected) -> None:
    for name in NAMED_FILES:
        value = values.get(name)
        if not value or value == os.devnull or dotenv_file.read(appliance.env_file).get(name) != value:
            continue  # why: what the shell sets is not in the settings that come back
        path = named_file(appliance.root, value)
        try:
            found.add(f"{NAMED}/{name}", path.read_bytes(), 0o644)
        except OSError as error:
            found.left_out.append(f"{name}: {path}: {error.strerror}")
