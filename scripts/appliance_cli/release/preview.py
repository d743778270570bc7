"""Which release runs, whether this folder's may follow it, and what that changes. Changes nothing."""

from pathlib import Path

from docker import DockerClient

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.compose import containers
from appliance_cli.compose.client import docker_client
from appliance_cli.config import dotenv_file, unknown_names, version
from appliance_cli.host.finding import version_tuple
from appliance_cli.release import belongings, changelog, releases
from appliance_cli.release.releases import Release
from appliance_cli.stack import watch


def present(root: Path, project: str) -> Release:
    """The release that runs, which this folder's shall follow.

    Raises HostNotReady or BadSetting where there is none, it is not well, or this is not a newer one.
    """
    client = docker_client()
    former = releases.running(client, project)
    own = version.of(root)
    if former.root == root:
        raise BadSetting(
            f"This folder's release runs already: {former.version}",
            expected="a newer release, in a folder of its own",
            found=str(root),
            remedy="name it: ./scripts/appliance upgrade --to 1.2.3 (or a tarball, or a folder)\n"
            "after git pull in this very folder: ./scripts/appliance up (without a way back)",
        )
    if version_tuple(own) <= version_tuple(former.version):
        raise BadSetting(
            "This is no newer release than the one that runs",
            expected=f"one after {former.version}",
            found=f"{own} in {root}",
            remedy=f"to go back to a former one: ./scripts/appliance rollback in {former.root}",
        )
    if not former.root.is_dir():
        raise HostNotReady(
            "The folder of the release that runs is gone, so there would be no way back",
            expected=f"{former.root}, from which {former.project} was started",
            found="no such folder",
            remedy="put it back, or take over without a way back: ./scripts/appliance up here",
        )
    if former.appliance().project != former.project:
        raise BadSetting(
            "The appliance that runs is called otherwise in its .env",
            expected=f"COMPOSE_PROJECT_NAME={former.project} in {former.env_file}",
            found=former.appliance().project,
            remedy="write it there: the new release would start a second appliance",
        )
    _require_well(client, former)
    return former


def _require_well(client: DockerClient, former: Release) -> None:
    status = watch.fetch_status(former.appliance().url) or {}
    ill = [c.name for c in containers.of_project(client, former.project) if not c.fine]
    if status.get("state") == "ready" and not ill:
        return
    raise HostNotReady(
        "The appliance is not well, so nobody could tell whether the new release is at fault",
        expected="/status to say ready, and every container to be healthy",
        found=", ".join([str(status.get("state", "no answer")), *(f"not fine: {name}" for name in ill)]),
        remedy=f"see what it lacks: ./scripts/appliance doctor in {former.root}",
    )


def tell(former: Release, root: Path, output: Output) -> None:
    """Say what changes between the two: CHANGELOG, settings, what is started anew. Changes nothing."""
    own = version.of(root)
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    output.data(changelog.between(text, former.version, own) or f"CHANGELOG.md tells nothing of {own}.")
    output.phase(f"{former.project}: {former.version} in {former.root} → {own} in {root}")
    if changelog.by_hand(former.version, own):
        output.item("warn", "another major version: something must be done by hand", "see the text above")
    given = dotenv_file.parse(dotenv_file.content(former.env_file))
    for name, value in belongings.moved(given, former.root, root).items():
        output.item("todo", f"{name}={value}", "so that it means what it did")
        if str(former.root) in value:
            output.item("warn", f"{name} stays in the former folder", "keep it, or move that out first")
    for unknown in unknown_names.find(root, former.env_file):
        output.item("warn", unknown.said(former.env_file.name))
    output.item("todo", "the engine loads the model again", "questions that are asked meanwhile wait")
