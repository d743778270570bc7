"""Takes an appliance off this host: what there is of it, with sizes, and its removal.

Owns the list. This program's own folder stays, and so does what others use: an image of another project's
container, Docker itself.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from docker import DockerClient
from docker.errors import APIError, NotFound

from appliance_cli.base.output import Output, size
from appliance_cli.base.tables import table
from appliance_cli.compose import images
from appliance_cli.compose.volumes import HOLD, MODELS
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access
from appliance_cli.host import facts, service_unit, way_out
from appliance_cli.stack import lifecycle

Kind = Literal["container", "network", "volume", "image", "unit", "rule", "file"]

_PROJECT = "com.docker.compose.project"
# Volumes that are made anew from nothing: they go even where data is kept.
_EMPTY = tuple(name for name, holds in HOLD.items() if not holds)


@dataclass(frozen=True)
class Thing:
    """One of what goes; ``size`` in bytes where it has one, ``holds`` what is lost with it."""

    kind: Kind
    name: str
    size: int | None = None
    holds: str = ""


@dataclass
class Found:
    """What goes, and what stays with the reason."""

    goes: list[Thing] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    def of(self, kind: Kind) -> list[str]:
        """The names of one kind."""
        return [thing.name for thing in self.goes if thing.kind == kind]


def find(appliance: Appliance, client: DockerClient, *, keep_model: bool, keep_data: bool) -> Found:
    """Look at everything; nothing changes. Raises HostNotReady where this appliance is another folder's."""
    facts.require_here(client, appliance, "uninstall")
    found = Found()
    usage = client.df()
    _containers(appliance, client, usage, found)
    _volumes(appliance.project, usage, keep_model, keep_data, found)
    _host(appliance, keep_data, found)
    found.goes.sort(key=lambda thing: get_args(Kind).index(thing.kind))
    return found


def shown(found: Found) -> str:
    """The list for people, with the sum of what becomes free."""
    rows = [
        [thing.kind, thing.name, "" if thing.size is None else size(thing.size), thing.holds]
        for thing in found.goes
    ]
    freed = sum(thing.size or 0 for thing in found.goes)
    rows.append(["total", "", size(freed), ""])
    return table(("WHAT", "NAME", "SIZE", "HOLDS"), rows, numbers=("SIZE",))


def remove(appliance: Appliance, client: DockerClient, found: Found, output: Output) -> list[str]:
    """Remove all of it; returns what Docker would not let go, with its words. Safe to repeat.

    Raises HostNotReady for units without root, StepFailed where Compose or systemd fails.
    """
    # why: first, for a unit would start again what is being removed
    if found.of("unit"):
        service_unit.remove(appliance)
        output.item("ok", "systemd's units removed")
    lifecycle.take_down(appliance, output, volumes=False)
    left = [
        *_refusals(found.of("container"), lambda name: client.containers.get(name).remove(force=True)),
        *_refusals(found.of("network"), lambda name: client.networks.get(name).remove()),
        *_refusals(found.of("volume"), lambda name: client.volumes.get(name).remove()),
        *_refusals(found.of("image"), client.images.remove),
    ]
    for name in found.of("file"):
        _delete(Path(name))
    return left


def _containers(appliance: Appliance, client: DockerClient, usage: dict[str, Any], found: Found) -> None:
    """The containers, the networks, and the images by whoever runs them."""
    every = [each.attrs for each in client.containers.list(all=True, sparse=True)]
    ours = [attrs for attrs in every if (attrs.get("Labels") or {}).get(_PROJECT) == appliance.project]
    others = {attrs["ImageID"]: attrs["Names"][0].lstrip("/") for attrs in every if attrs not in ours}
    found.goes += [Thing("container", attrs["Names"][0].lstrip("/")) for attrs in ours]
    networks = client.networks.list(filters={"label": f"{_PROJECT}={appliance.project}"})
    found.goes += [Thing("network", str(each.name)) for each in networks]
    _images(usage, appliance.tgi_image, {attrs["ImageID"] for attrs in ours}, others, found)


def _host(appliance: Appliance, keep_data: bool, found: Found) -> None:
    """What lies beside Docker's."""
    found.goes += [Thing("unit", str(path)) for path in service_unit.installed(appliance)]
    rules = way_out.removals(appliance.project)
    found.goes += [Thing("rule", f"{program} {way_out.CHAIN}") for program, *_ in rules]
    files = [] if keep_data else list(_files(appliance))
    found.goes += [Thing("file", str(path), _size_of(path), holds) for path, holds in files]
    if keep_data:
        found.stays.append(f"{appliance.env_file} and {appliance.access_dir}: keys, users, settings")
    if (appliance.root / "backups").is_dir():
        found.stays.append(f"{appliance.root / 'backups'}: what restoring kept aside")
    found.stays.append(f"{appliance.root}: this program; delete the folder when you want")


def _volumes(project: str, usage: dict[str, Any], keep_model: bool, keep_data: bool, found: Found) -> None:
    for each in usage.get("Volumes") or []:
        name = each["Name"].removeprefix(f"{project}_")
        if (each.get("Labels") or {}).get(_PROJECT) != project or name == each["Name"]:
            continue
        kept = keep_model if name == MODELS else keep_data and name not in _EMPTY
        holds = HOLD.get(name, "")
        if kept:
            found.stays.append(f"volume {each['Name']}: {holds or 'what was stored'}")
        else:
            bytes_ = (each.get("UsageData") or {}).get("Size", 0)
            found.goes.append(Thing("volume", each["Name"], max(0, bytes_), holds))


def _images(
    usage: dict[str, Any], engine: str, run_here: set[str], others: dict[str, str], found: Found
) -> None:
    """Those built here, the engine's, and what this appliance's containers run; none that others use.

    A size is what no other image shares.
    """
    for image in usage.get("Images") or []:
        tags = [
            tag
            for tag in image.get("RepoTags") or []
            if tag.startswith(images.OURS) or tag == engine or image["Id"] in run_here
        ]
        if tags and image["Id"] in others:
            found.stays.append(f"image {tags[0]}: container {others[image['Id']]} uses it")
            continue
        alone = image["Size"] - max(0, image.get("SharedSize", 0))
        found.goes += [Thing("image", tag, None if number else alone) for number, tag in enumerate(tags)]


def _files(appliance: Appliance) -> Iterator[tuple[Path, str]]:
    """Settings and accounts. Of the access directory what is ours, should somebody have put more in it."""
    beside = appliance.env_file.with_name(f"{appliance.env_file.name}.files")
    for path, holds in (
        (appliance.env_file, "settings"),
        (beside, "files that settings name"),
        (appliance.root / f"compose.engine.{appliance.project}.yml", ""),
    ):
        if path.exists():
            yield path, holds
    folder = access.of(appliance)
    if folder.path.is_dir():
        folder.require_usable()
        for path in sorted(folder.path.iterdir()):
            if path.name in (access.EXPECTED - access.NOT_OURS) | {access.LOCK}:
                yield path, "keys, users, certificate" if path.name != access.LOCK else ""


def _size_of(path: Path) -> int:
    return sum(each.lstat().st_size for each in (path, *path.rglob("*")) if not each.is_dir())


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _refusals(names: list[str], remove_one: Callable[[str], object]) -> Iterator[str]:
    """Docker's words about what it keeps; what is gone already is no matter."""
    for name in names:
        try:
            remove_one(name)
        except NotFound:
            pass
        except APIError as error:
            yield f"{name}: {error.explanation or error}"
