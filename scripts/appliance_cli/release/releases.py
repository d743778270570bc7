"""The releases of one appliance: which one runs, which ran before it, and from which folder and images each.

What ran is kept in the newest release's own folder (``.appliance/PROJECT.releases.json``, oldest first).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from docker import DockerClient

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.compose import images
from appliance_cli.config import version
from appliance_cli.config.appliance import Appliance, load

_LABEL = "com.docker.compose"
_VERSION = "org.opencontainers.image.version"


@dataclass(frozen=True)
class Release:
    """One release of one appliance. ``images``: what was built of it, the id by its repository."""

    project: str
    version: str
    root: Path
    env_file: Path
    images: Mapping[str, str]

    def appliance(self) -> Appliance:
        """The appliance as this release's folder and .env describe it. Raises BadSetting."""
        return load(self.root, self.env_file)


def running(client: DockerClient, project: str) -> Release:
    """The release that runs under this name, else the only one that runs at all.

    Raises HostNotReady when there is none, or when nobody can say which one is meant.
    """
    labels = [f"{_LABEL}.service=nginx", f"{_LABEL}.oneoff=False"]
    doors = client.containers.list(filters={"label": labels}, ignore_removed=True)
    ours = [door.labels for door in doors if _repository(door.attrs["Config"]["Image"])]
    found = {each[f"{_LABEL}.project"]: each for each in ours}
    if project not in found and len(found) != 1:
        names = ", ".join(sorted(found))
        raise HostNotReady(
            "There is nothing to upgrade" if not found else "Several appliances run here",
            expected="one that runs, so that it is known what it is upgraded from",
            found=names or "none",
            remedy="name one: COMPOSE_PROJECT_NAME=NAME ./scripts/appliance upgrade"
            if found
            else "start it from its own folder first: ./scripts/appliance up",
        )
    name = project if project in found else next(iter(found))
    label = found[name]
    root = Path(label[f"{_LABEL}.project.working_dir"])
    env_file = label.get(f"{_LABEL}.project.environment_file", "").split(",")[0]
    return Release(
        project=name,
        version=label.get(_VERSION) or version.of(root),
        root=root,
        env_file=Path(env_file) if env_file else root / ".env",
        images=_images(client, name),
    )


def _images(client: DockerClient, project: str) -> dict[str, str]:
    """What its containers run, whatever has the name of their image by now."""
    labels = [f"{_LABEL}.project={project}", f"{_LABEL}.oneoff=False"]
    found = client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    named = ((_repository(each.attrs["Config"]["Image"]), each.attrs["Image"]) for each in found)
    return {repository: image for repository, image in named if repository}


def _repository(image: str) -> str:
    """The repository of an image that is built here; "" of another's."""
    return image.rpartition(":")[0] if image.startswith(images.OURS) else ""


def kept(root: Path, project: str) -> list[Release]:
    """The releases that were noted in this folder, oldest first. Raises BadSetting for a damaged note."""
    path = _file(root, project)
    if not path.exists():
        return []
    try:
        return [_release(each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError) as error:
        raise BadSetting(
            "The note of former releases cannot be read",
            expected="what an upgrade wrote there",
            found=f"{path}: {error}",
            remedy="remove it; a former release still comes up by ./scripts/appliance up in its folder",
        ) from None


def keep(root: Path, project: str, releases: Sequence[Release]) -> None:
    """Note them in this folder; none: forget what is noted."""
    path = _file(root, project)
    if not releases:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(each), "root": str(each.root), "env_file": str(each.env_file)} for each in releases]
    atomic_file.replace(path, json.dumps(rows, indent=2).encode(), 0o600)


def _file(root: Path, project: str) -> Path:
    return root / ".appliance" / f"{project}.releases.json"


def _release(row: Mapping[str, Any]) -> Release:
    fields = {**row, "root": Path(row["root"]), "env_file": Path(row["env_file"])}
    return Release(**fields)
