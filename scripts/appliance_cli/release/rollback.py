"""Has the former release run again, from its own folder and the images that were kept. Builds nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance_cli.base.errors import HostNotReady
from appliance_cli.base.output import Output, duration
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import load
from appliance_cli.host import alone
from appliance_cli.release import belongings, question, releases, switch, timer
from appliance_cli.release.releases import Release


def noted(root: Path, project: str) -> list[Release]:
    """The releases up to this folder's, at least the one to go back to and it. Else raises HostNotReady."""
    found = releases.kept(root, project)
    if len(found) < 2:
        raise HostNotReady(
            "There is no release to go back to",
            expected="one that ./scripts/appliance upgrade followed, in this folder",
            found=f"none is noted in {root / '.appliance'}",
            remedy="run this in the folder of the release that runs",
        )
    former = found[-2]
    if not former.root.is_dir():
        raise HostNotReady(
            "The folder of the former release is gone",
            expected=str(former.root),
            found="no such folder",
            remedy="unpack that release there again, then run this again",
        )
    return found


def rollback(known: Sequence[Release], output: Output) -> None:
    """Have the last but one of these releases run in the place of the last."""
    former, own = known[-2:]
    root, project = own.root, own.project
    current, settings = load(root, own.env_file), dotenv_file.read(own.env_file)
    belongings.restore_env(former, root, belongings.kept(root, own.version))
    appliance = former.appliance()
    with alone.alone(appliance, "appliance rollback, from another folder"):
        belongings.mirror(current.access_dir, appliance.access_dir)
        switch.to(appliance, former.images, output)
        with output.step("Asking it a question through the door"):
            question.require_answer(appliance)
        releases.keep(root, project, [])
        releases.keep(former.root, project, known[:-1] if len(known) > 2 else [])
    timer.follow(appliance, output)
    for name in lost(settings, dotenv_file.read(former.env_file)):
        output.item("warn", f"{name} is again what it was before the upgrade")
    output.say(f"\n{former.version} runs, after {duration(output.elapsed)}. From now on: cd {former.root}")


def lost(newer: Mapping[str, str], older: Mapping[str, str]) -> list[str]:
    """The settings that were changed since the upgrade; not those that say where files are."""
    paths = {*belongings.PATHS, "COMPOSE_FILE", "ACCESS_DIR"}
    names = (newer.keys() | older.keys()) - paths
    return sorted(name for name in names if newer.get(name) != older.get(name))
