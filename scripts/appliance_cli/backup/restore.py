"""Brings a backup back: proves all of it first, keeps what was there, and only then changes anything."""

import dataclasses
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from docker import DockerClient

from appliance_cli.backup import archive, contents, encryption, make, settings_here
from appliance_cli.backup.archive import ACCESS, COMPOSE, MODELS, SETTINGS, STATE, Manifest
from appliance_cli.backup.encryption import Decryption
from appliance_cli.backup.settings_here import SettingsHere
from appliance_cli.base import atomic_file
from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.compose import containers, volume_files
from appliance_cli.compose.client import has_image
from appliance_cli.compose.volumes import USAGE
from appliance_cli.config import dotenv_file, version
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.config.dotenv_syntax import DotenvError
from appliance_cli.door import access, guard
from appliance_cli.host import facts
from appliance_cli.host.finding import version_tuple
from appliance_cli.stack import lifecycle, models

_STOP_S = 45  # as docker-compose.yml lets nginx end its streams
MODEL_INIT_IMAGE = "qwen-appliance/model-init:local"


@dataclass
class Plan:
    """What a proven backup comes to here. ``target``: the appliance as it will be."""

    manifest: Manifest
    files: dict[str, bytes]
    settings: SettingsHere | None
    target: Appliance
    volume_image: str

    @property
    def changes(self) -> list[str]:
        """The settings that become other ones here, with the reasons."""
        return self.settings.reasons if self.settings else []

    def part(self, name: str) -> dict[str, bytes]:
        """The files of one part, by their path in it."""
        return {key.partition("/")[2]: data for key, data in self.files.items() if key.startswith(f"{name}/")}


@contextmanager
def opened(file: Path, how: Decryption, folder: Path) -> Iterator[IO[bytes]]:
    """The backup without its encryption; what is decrypted lies in ``folder`` without a name meanwhile.

    Raises BadSetting for a file that cannot be read, and as `encryption.decrypt` does.
    """
    try:
        stream = file.open("rb")
    except OSError as error:
        raise BadSetting(
            "The backup cannot be read",
            expected="a file that ./scripts/appliance backup wrote",
            found=f"{file}: {error.strerror}",
            remedy="name the right file, or run this as its owner",
        ) from error
    with stream:
        program = encryption.program_of(stream)
        if program is None:
            yield stream
            return
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as plain:
            encryption.decrypt(how, program, stream, plain)
            yield plain


def plan(stream: IO[bytes], present: Appliance, client: DockerClient) -> Plan:
    """Read and prove everything, and see that it can be put in place. Changes nothing.

    Raises BadSetting or HostNotReady.
    """
    stream.seek(0)
    manifest, files = archive.read(stream)
    ours = version.of(present.root)
    if version_tuple(manifest.version) > version_tuple(ours):
        raise BadSetting(
            "The backup was made by a newer version; nothing was changed",
            expected=f"one of version {ours} or older",
            found=f"version {manifest.version}",
            remedy=f"upgrade to {manifest.version} here, then run this again",
        )
    settings, target = None, present
    if SETTINGS in files:
        text = files[SETTINGS].decode("utf-8", "surrogateescape")
        try:
            settings = settings_here.adapted(text, manifest, present.root, present.env_file, client)
        except DotenvError as error:
            raise archive.damaged(f"{SETTINGS}: {error}") from error
        target = _loaded(settings.text, present)
    facts.require_here(client, target, "down")
    folder = access.of(target)
    folder.require_usable()
    _require_no_links(folder.path, [name for name in files if name.startswith(f"{ACCESS}/")])
    image = contents.image_for(client, target)
    return Plan(manifest, files, settings, target, image)


def put_back(
    found: Plan, stream: IO[bytes], present: Appliance, client: DockerClient, output: Output
) -> Path | None:
    """Keep what is there in a backup of its own, then put the plan's files in place; models last.

    nginx is stopped meanwhile: it holds the usage in its memory. Returns that backup, if there was anything.
    """
    aside = _keep_present(found.target, present, client, output)
    target = found.target
    same_door = all(
        getattr(present, name) == getattr(target, name) for name in ("project", "access_dir", "owner")
    )
    try:
        with output.step("Putting everything back"), _without_nginx(client, target.project, again=same_door):
            _put_state(found, client)
            _put_access(found)
            _put_beside(found)
            if found.settings is not None:
                dotenv_file.write(target.env_file, found.settings.text)
    except OSError as error:
        raise StepFailed(
            "Not everything could be put back",
            expected="leave to write, and room",
            found=f"{error.filename or ''}: {error.strerror}",
            remedy=f"put that right and run this again; what was there: {aside or 'nothing'}",
        ) from error
    guard.mend(target, output)
    _take_models(found, stream, target, client, output)
    return aside


def _loaded(text: str, present: Appliance) -> Appliance:
    """The appliance that settings describe, before they are this appliance's. Raises BadSetting."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / present.env_file.name
        dotenv_file.write(trial, text)
        return dataclasses.replace(load(present.root, trial), env_file=present.env_file)


def _require_no_links(folder: Path, names: list[str]) -> None:
    """Raise BadSetting where a link would lead what is written, perhaps by root, to another place."""
    for name in names:
        *parents, _ = Path(name.partition("/")[2]).parents
        for parent in parents:
            if (folder / parent).is_symlink():
                raise BadSetting(
                    "The access directory has a link where a folder should be; nothing was changed",
                    expected="a folder",
                    found=f"{folder / parent} leads to {os.readlink(folder / parent)}",
                    remedy="remove the link",
                )


def _keep_present(target: Appliance, present: Appliance, client: DockerClient, output: Output) -> Path | None:
    """A backup of what is there now, also of what the restored settings name; None when there is nothing."""
    folder = present.root / "backups"
    kept = None
    for appliance in (present, dataclasses.replace(target, env_file=present.env_file)):
        if kept is not None and appliance.access_dir == present.access_dir:
            continue
        volume = volume_files.exists(client, f"{appliance.project}_{USAGE}")
        if not (appliance.env_file.exists() or appliance.access_dir.exists() or volume):
            continue
        guard.mend(appliance, output)
        folder.mkdir(mode=0o700, exist_ok=True)
        _give(folder)
        numbers = itertools.count(1)
        names = (f"{appliance.project}-before-restore-{number}.tar.gz" for number in numbers)
        path = next(folder / name for name in names if not (folder / name).exists())
        make.make(appliance, client, path, output)
        _give(path)
        kept = kept or path
    return kept


def _give(path: Path) -> None:
    """Leave what root made to whose folder it is in."""
    owner = atomic_file.owner_for(path.parent)
    if owner is not None:
        os.chown(path, *owner, follow_symlinks=False)


@contextmanager
def _without_nginx(client: DockerClient, project: str, *, again: bool) -> Iterator[None]:
    running = [
        client.containers.get(each.id)
        for each in containers.of_project(client, project)
        if each.service == "nginx" and each.state in ("running", "restarting")
    ]
    for container in running:
        container.stop(timeout=_STOP_S)
    try:
        yield
    finally:
        for container in running if again else ():
            container.start()


def _put_state(found: Plan, client: DockerClient) -> None:
    files = found.part(STATE)
    if not files:
        return
    project = found.target.project
    volume = f"{project}_{USAGE}"
    if not volume_files.exists(client, volume):
        labels = {"com.docker.compose.project": project, "com.docker.compose.volume": USAGE}
        client.volumes.create(volume, labels=labels)
    owner = (found.target.owner.uid, found.target.owner.gid)
    volume_files.write(client, found.volume_image, volume, files, owner)


def _put_access(found: Plan) -> None:
    folder, files = access.of(found.target), found.part(ACCESS)
    modes = {file.name.partition("/")[2]: int(file.mode, 8) for file in found.manifest.of(ACCESS)}
    if not files and not folder.path.exists():
        return
    with folder.changing():
        for name, path in list(contents.access_files(folder.path)):
            if name not in files:
                path.unlink()
        for name, data in files.items():
            folder.put(name, data, modes[name])


def _put_beside(found: Plan) -> None:
    """The files that settings name, and the operator's own Compose files."""
    if found.settings is None:
        return
    beside = settings_here.files_beside(found.target.env_file)
    for name, path in found.settings.kept.items():
        beside.mkdir(mode=0o700, exist_ok=True)
        beside.chmod(0o700)
        _give(beside)
        # why: the folder is private, and a container that gets one of them runs as another user
        atomic_file.replace(path, found.files[name], 0o644, atomic_file.owner_for(beside))
    root = found.target.root
    named = dotenv_file.parse(found.settings.text).get("COMPOSE_FILE", "").split(":")
    wanted = {os.path.normpath(root / part) for part in named if part}
    for name, data in found.part(COMPOSE).items():
        path = root / name
        inside = path.parent.resolve().is_relative_to(root.resolve())
        if str(path) in wanted and inside and contents.is_own_compose_file(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_file.replace(path, data, 0o644, atomic_file.owner_for(path))


def _take_models(
    found: Plan, stream: IO[bytes], target: Appliance, client: DockerClient, output: Output
) -> None:
    """Have model-init prove and publish each; its image is built where it is not there yet."""
    if not found.manifest.of(MODELS):
        return
    if not has_image(client, MODEL_INIT_IMAGE):
        lifecycle.build(target, output)
    output.phase("Models")
    target.logs.mkdir(parents=True, exist_ok=True)
    stream.seek(0)
    for file, pieces in archive.models(stream):
        with tempfile.NamedTemporaryFile(dir=target.logs) as exported:
            for piece in pieces:
                exported.write(piece)
            exported.flush()
            if models.take_in(target, Path(exported.name)) != 0:
                raise StepFailed(
                    "A model of the backup could not be taken in; everything else is back",
                    expected="model-init to verify and publish it",
                    found=f"{file.name}, for the reason above",
                    remedy="put that right and run this again, or let up download it",
                )
