"""The files in a volume, read and written through a container that is made for it and never started.

So it works whether the appliance runs or not, and no program of any image is needed.
"""

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from docker import DockerClient
from docker.models.containers import Container

from appliance_cli.base.errors import HostNotReady, StepFailed
from appliance_cli.compose.client import has_image

_FOLDER = "volume"
_ATTEMPTS = 3


def exists(client: DockerClient, name: str) -> bool:
    """Whether there is a volume of exactly this name."""
    return any(volume.name == name for volume in client.volumes.list(filters={"name": name}))


def usable_image(client: DockerClient, names: tuple[str, ...]) -> str:
    """The first of the images that Docker holds. Raises HostNotReady when it holds none."""
    for name in names:
        if has_image(client, name):
            return name
    raise HostNotReady(
        "Docker has none of the appliance's images, without which its volumes cannot be used",
        expected=f"one of {', '.join(names)}",
        found="none",
        remedy="./scripts/appliance prepare, then run this again",
    )


def read(client: DockerClient, image: str, volume: str) -> dict[str, bytes]:
    """Every plain file of the volume by its path. Raises StepFailed when Docker cannot read them."""
    with _mounted(client, image, volume) as container:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return _read(container)
            except tarfile.TarError as error:
                # why: Docker ends its answer early when a file is replaced while it is read
                if attempt == _ATTEMPTS:
                    raise StepFailed(
                        f"The volume {volume} cannot be read",
                        expected="Docker to hand over its files",
                        found=str(error),
                        remedy="run it again",
                    ) from error
    raise AssertionError("unreachable")


def write(
    client: DockerClient, image: str, volume: str, files: Mapping[str, bytes], owner: tuple[int, int]
) -> None:
    """Put files into the volume over those of the same name; the others stay. Who owns them: ``owner``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        # why: whoever a container runs as may write there, as Docker has it from nginx's image
        archive.addfile(_folder(_FOLDER, 0o777, owner))
        for folder in sorted({name.rpartition("/")[0] for name in files} - {""}):
            archive.addfile(_folder(f"{_FOLDER}/{folder}", 0o755, owner))
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{_FOLDER}/{name}")
            entry.size, entry.mode = len(content), 0o644
            entry.uid, entry.gid = owner
            archive.addfile(entry, io.BytesIO(content))
    with _mounted(client, image, volume) as container:
        container.put_archive("/", out.getvalue())


def _read(container: Container) -> dict[str, bytes]:
    pieces, _ = container.get_archive(f"/{_FOLDER}")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        found = {member.name: archive.extractfile(member) for member in archive if member.isreg()}
        return {name.partition("/")[2]: stream.read() for name, stream in found.items() if stream is not None}


@contextmanager
def _mounted(client: DockerClient, image: str, volume: str) -> Iterator[Container]:
    mounts = {volume: {"bind": f"/{_FOLDER}", "mode": "rw"}}
    container = client.containers.create(
        image, ["true"], entrypoint=[], volumes=mounts, network_disabled=True
    )
    try:
        yield container
    finally:
        container.remove(force=True)


def _folder(name: str, mode: int, owner: tuple[int, int]) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    entry.uid, entry.gid = owner
    return entry
