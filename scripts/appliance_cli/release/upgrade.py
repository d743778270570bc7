"""Has the release of this folder take over from the one that runs, which comes back when that fails."""

from collections.abc import Sequence
from pathlib import Path

from docker import DockerClient

from appliance_cli.base.output import Output, duration
from appliance_cli.compose import containers
from appliance_cli.compose.client import docker_client
from appliance_cli.config import values as given_values
from appliance_cli.config import version
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.host import alone
from appliance_cli.release import belongings, images, question, releases, switch, timer
from appliance_cli.release.releases import Release
from appliance_cli.stack import prepare


def upgrade(former: Release, root: Path, output: Output) -> None:
    """Take over. Raises what went wrong, after the former release has its place again."""
    client = docker_client(timeout=60)
    own = version.of(root)
    kept = belongings.kept(root, own)
    with alone.alone(former.appliance(), "appliance upgrade, from another folder"):
        belongings.put_aside(client, former, kept, output)
        built: dict[str, str] = {}
        switching = False
        try:
            appliance = _prepared(former, root, output)
            built = images.build(client, appliance, own, output)
            images.name(client, former.images, former.version)
            noted = releases.kept(former.root, former.project)  # its own among them
            new = Release(former.project, own, root, appliance.env_file, built)
            known = [*(each for each in noted if each.root != former.root), former, new]
            releases.keep(root, former.project, known)
            switching = True
            switch.to(appliance, built, output)
            with output.step("Asking it a question through the door"):
                said = question.require_answer(appliance)
        except BaseException as error:
            belongings.restore_env(former, root, kept)
            if switching:
                output.item("fail", f"{own} did not come up", getattr(error, "title", repr(error)))
                _go_back(client, former, output)
            releases.keep(root, former.project, [])
            images.drop(client, [f"{repository}:{own}" for repository in built])
            raise
    output.item("ok", f"asked “{question.QUESTION}”", said[:80])
    _prune(client, appliance, known, output)
    timer.follow(appliance, output)
    output.data(f"Chat:  {appliance.public_url}/")
    output.say(f"\n{own} runs, after {duration(output.elapsed)}. From now on: cd {root}")
    output.say(f"Back to {former.version}: {appliance.command('rollback')} there; keep {former.root} for it")


def _prepared(former: Release, root: Path, output: Output) -> Appliance:
    """The new folder with all that is the appliance's own, and the host as this release needs it."""
    moved = load(root, belongings.take_env(former, root))
    belongings.mirror(former.appliance().access_dir, moved.access_dir)
    return prepare.prepare(prepare.Request(moved, agreed=True), output)


def _go_back(client: DockerClient, former: Release, output: Output) -> None:
    output.phase(f"Going back to {former.version}")
    found = containers.of_project(client, former.project)
    switch.remove(client, [c for c in found if c.service in switch.REPLICATED and not c.fine])
    switch.to(former.appliance(), former.images, output)
    output.item("ok", f"{former.version} runs as before, from {former.root}")


def _prune(client: DockerClient, appliance: Appliance, known: Sequence[Release], output: Output) -> None:
    count = given_values.read(appliance.env_file).whole("KEEP_RELEASES")
    gone = images.drop(client, images.superseded(known, count))
    if gone:
        output.item("ok", f"images of older releases removed: {', '.join(gone)}")
    releases.keep(appliance.root, known[-1].project, known[-count:])
