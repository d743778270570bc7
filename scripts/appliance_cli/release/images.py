"""The images of the releases: each under its version's tag, and under `local` those that Compose starts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from docker import DockerClient

from appliance_cli.base.errors import HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.compose import commands as compose
from appliance_cli.compose.client import FAILURES, has_image
from appliance_cli.compose.images import OURS
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.release import composed
from appliance_cli.release.releases import Release
from appliance_cli.stack import lifecycle

IN_USE = "local"


def build(client: DockerClient, appliance: Appliance, version: str, output: Output) -> dict[str, str]:
    """Build the release's images beside those that run; returns each one's id by its repository."""
    named = tagged(composed.services(appliance), version)
    override = appliance.logs / f"{appliance.project}.images.json"
    override.parent.mkdir(parents=True, exist_ok=True)
    override.write_text(json.dumps({"services": {name: {"image": image} for name, image in named.items()}}))
    files = given_values.read(appliance.env_file).text("COMPOSE_FILE").split(":")
    lifecycle.build(appliance, output, compose.build_as(appliance, [*files, str(override)]))
    return {
        image.rpartition(":")[0]: str(client.images.get(image).id) for image in sorted(set(named.values()))
    }


def tagged(services: Mapping[str, Mapping[str, Any]], version: str) -> dict[str, str]:
    """The services whose images are built here, and what each one's image is called in this version."""
    built = {name: service["image"] for name, service in services.items() if service.get("build")}
    return {
        name: f"{image.rpartition(':')[0]}:{version}"
        for name, image in built.items()
        if image.startswith(OURS)
    }


def name(client: DockerClient, images: Mapping[str, str], tag: str) -> None:
    """Give each image this tag of its repository. Raises HostNotReady, and names none, when one is gone."""
    for repository, image in images.items():
        if not has_image(client, image):
            raise HostNotReady(
                "An image of that release is gone; nothing was changed",
                expected=f"{repository} as it was built then",
                found=f"no {image[:19]}",
                remedy="build it anew: ./scripts/appliance up in that release's folder",
            )
    for repository, image in images.items():
        client.images.get(image).tag(repository, tag=tag)


def superseded(releases: Sequence[Release], count: int) -> list[str]:
    """The images' names of all but the newest ``count`` releases (oldest first); none that those need."""
    newest = {f"{repository}:{each.version}" for each in releases[-count:] for repository in each.images}
    former = {f"{repository}:{each.version}" for each in releases[:-count] for repository in each.images}
    return sorted(former - newest)


def drop(client: DockerClient, names: Sequence[str]) -> list[str]:
    """Take these names away, and with its last name an image; returns those that went."""
    gone = []
    for each in names:
        try:
            client.images.remove(each)
        except FAILURES:
            continue  # why: another container still runs it, or somebody removed it
        gone.append(each)
    return gone
