"""What an appliance takes along into another release's folder: its .env, keys and users. And a copy of it.

Each release lies in a folder of its own, complete, so that the former one can start again as it was.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from docker import DockerClient

from appliance_cli.backup import make
from appliance_cli.backup.contents import NAMED_FILES
from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import ask
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import COMPOSE_FILES
from appliance_cli.release.releases import Release

HEADING = "Where they are for this release. Written by ./scripts/appliance upgrade."
# Settings that name a file or folder, other than the two that have rules of their own.
PATHS = (*NAMED_FILES, "MODEL_FOLDER")
BACKUP = "backup.tar.gz"


def env_file(former: Release, root: Path) -> Path:
    """Where its .env is in the new folder; one outside the former folder serves both."""
    if former.env_file.is_relative_to(former.root):
        return root / former.env_file.relative_to(former.root)
    return former.env_file


def moved(given: Mapping[str, str], former: Path, root: Path) -> dict[str, str]:
    """The settings that must read otherwise in ``root`` to mean what they mean in ``former``."""
    changed = {name: _absolute(given[name], former, root) for name in PATHS if given.get(name)}
    if given.get("COMPOSE_FILE"):
        parts = given["COMPOSE_FILE"].split(":")
        changed["COMPOSE_FILE"] = ":".join(_compose_file(part, former, root) for part in parts)
    if given.get("ACCESS_DIR"):
        changed["ACCESS_DIR"] = _access_dir(given["ACCESS_DIR"], former, root)
    return {name: value for name, value in changed.items() if value != given[name]}


def _absolute(value: str, former: Path, root: Path) -> str:
    path = Path(value).expanduser()
    return value if path.is_absolute() or (root / path).exists() else str(former / path)


def _compose_file(part: str, former: Path, root: Path) -> str:
    """The release's own files are taken from its folder; the operator's stay where they are."""
    place = former / part
    own = {name for files in COMPOSE_FILES.values() for name in files.split(":")}
    if place.parent != former:
        return str(place)
    if place.name in own or place.name.startswith("compose.engine."):
        return str(root / place.name) if Path(part).is_absolute() else place.name
    return str(place)


def _access_dir(value: str, former: Path, root: Path) -> str:
    path = Path(value).expanduser()
    if not path.is_absolute():
        inside = (former / path).resolve().is_relative_to(former.resolve())
        return value if inside else str((former / path).resolve())
    return str(root / path.relative_to(former)) if path.is_relative_to(former) else value


def take_env(former: Release, root: Path) -> Path:
    """Have the settings in the new release's folder; returns their file."""
    target = env_file(former, root)
    text = dotenv_file.content(former.env_file)
    changed = moved(dotenv_file.parse(text), former.root, root)
    new = dotenv_file.merged(text, {}, changed, HEADING)
    if not target.exists():
        target.touch(mode=0o600)
    dotenv_file.write(target, new)
    return target


def kept(root: Path, version: str) -> Path:
    """Where the copy of what was before an upgrade to this version lies."""
    return root / ".appliance" / f"before-upgrade-{version}"


def restore_env(former: Release, root: Path, folder: Path) -> None:
    """Put the former .env back, byte by byte, where both releases share one file."""
    copy = folder / "env"
    if env_file(former, root) == former.env_file and copy.exists():
        dotenv_file.write(former.env_file, dotenv_file.content(copy))


def mirror(source: Path, target: Path) -> None:
    """Have ``target`` be what ``source`` is, owners and modes as well. Raises StepFailed; the old stays."""
    if source.resolve() == target.resolve() or not source.is_dir():
        return
    fresh = target.with_name(f".{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    answer = ask(["cp", "-a", str(source), str(fresh)], timeout=60)
    if answer.code != 0:
        raise StepFailed(
            "Keys and users could not be copied",
            expected=f"to copy {source}",
            found=answer.err.strip().splitlines()[-1],
            remedy="run this as their owner or with sudo",
        )
    if target.exists():
        shutil.rmtree(target)
    fresh.rename(target)


def put_aside(client: DockerClient, former: Release, folder: Path, output: Output) -> None:
    """Keep a backup of the former release's settings, keys and usage in ``folder``, and its .env as it is.

    Raises as `make.make` does.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    if former.env_file.exists():
        shutil.copy2(former.env_file, folder / "env")
    make.make(former.appliance(), client, folder / BACKUP, output)
