"""The backup's file: a gzipped tar, manifest.json first, then exactly the files that it lists.

Owns the form and its proof: nothing is believed of a file but names that are allowed, and bytes that have the
manifest's sizes and SHA-256. Knows nothing of what the files are for.
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from appliance_cli.base.errors import BadSetting

FORMAT, SCHEMA = "qwen-appliance-backup", 1
MANIFEST = "manifest.json"
SETTINGS = "settings.env"
PARTS = ACCESS, STATE, NAMED, COMPOSE, MODELS = ("access", "state", "named", "compose", "models")
LARGEST_MANIFEST = 4_000_000
# What is read into memory at once; a usage file is the largest, about 20 MB.
LARGEST_FILES = 256_000_000
_PIECE = 1 << 20
_PART = r"[^\x00-\x1f\x7f/\\]{1,200}"
_NAME = re.compile(rf"{re.escape(SETTINGS)}|(?:{'|'.join(PARTS)})(?:/{_PART}){{1,8}}")
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError)


@dataclass(frozen=True)
class File:
    """One file of the backup as the manifest has it; ``mode`` in octal digits."""

    name: str
    size: int
    sha256: str
    mode: str = "600"


@dataclass(frozen=True)
class Manifest:
    """Whose backup it is and what is in it. ``root``: the folder that it was made in; ``made``: when, UTC."""

    version: str
    project: str
    root: str
    host: str
    made: str
    files: tuple[File, ...]

    def of(self, part: str) -> list[File]:
        """The files of one part, such as `ACCESS`."""
        return [file for file in self.files if file.name.partition("/")[0] == part]


@dataclass(frozen=True)
class Content:
    """What one file of a backup is made of: bytes, or a file on disk for what is large."""

    data: bytes | Path
    mode: int = 0o600

    def described(self, name: str) -> File:
        """Its line in the manifest."""
        with self.opened() as stream:
            digest = hashlib.file_digest(stream, "sha256")  # type: ignore[arg-type]
        size = len(self.data) if isinstance(self.data, bytes) else self.data.stat().st_size
        return File(name, size, digest.hexdigest(), f"{self.mode:o}")

    def opened(self) -> IO[bytes]:
        """It, to be read."""
        return io.BytesIO(self.data) if isinstance(self.data, bytes) else self.data.open("rb")


def write(out: IO[bytes], manifest: Manifest, contents: Mapping[str, Content], level: int) -> None:
    """Write a backup whose manifest lists ``contents`` in that order. ``level`` is gzip's."""
    head = json.dumps({"format": FORMAT, "schema": SCHEMA, **asdict(manifest)}, indent=1).encode()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", filename="", compresslevel=level) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(_entry(MANIFEST, len(head), 0o600), io.BytesIO(head))
        for file in manifest.files:
            with contents[file.name].opened() as stream:
                archive.addfile(_entry(file.name, file.size, int(file.mode, 8)), stream)


def check(stream: IO[bytes]) -> Manifest:
    """Read a whole backup and hold every byte of it to its manifest. Raises BadSetting."""
    with _opened(stream) as (manifest, members):
        for _ in members:
            pass
    return manifest


def read(stream: IO[bytes]) -> tuple[Manifest, dict[str, bytes]]:
    """A backup that is whole: its manifest, and its files but the models. Raises BadSetting."""
    found: dict[str, bytes] = {}
    with _opened(stream) as (manifest, members):
        for file, pieces in members:
            if not is_model(file):
                found[file.name] = b"".join(pieces)
    return manifest, found


def models(stream: IO[bytes]) -> Iterator[tuple[File, Iterator[bytes]]]:
    """The exported models of a backup, piece by piece. Raises BadSetting where it changed meanwhile."""
    with _opened(stream) as (_, members):
        for file, pieces in members:
            if is_model(file):
                yield file, pieces


def is_allowed(name: str) -> bool:
    """Whether a file of this name may be in a backup: below one of its parts, and nowhere else."""
    return _NAME.fullmatch(name) is not None and not {".", ".."} & set(name.split("/"))


def is_model(file: File) -> bool:
    """Whether it is a model's export, which is not read into memory."""
    return file.name.startswith(f"{MODELS}/")


def damaged(found: str) -> BadSetting:
    """A backup that cannot be believed."""
    return BadSetting(
        "The backup cannot be used; nothing was changed",
        expected="a file that ./scripts/appliance backup wrote, whole and unchanged",
        found=found,
        remedy="use another copy of it, or an older backup",
    )


@contextmanager
def _opened(stream: IO[bytes]) -> Iterator[tuple[Manifest, Iterator[tuple[File, Iterator[bytes]]]]]:
    """The manifest, and the members behind it; at the end the file is proven to its last byte."""
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            with tarfile.open(fileobj=unzipped, mode="r|") as archive:
                manifest = _manifest(archive)
                members = _members(archive, manifest.files)
                yield manifest, members
                for _ in members:
                    pass
            while rest := unzipped.read(_PIECE):  # to gzip's own sum over everything
                if any(rest):
                    raise damaged("something behind its end")
    except _DAMAGE as error:
        raise damaged(f"{error or type(error).__name__}") from error


def _manifest(archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > LARGEST_MANIFEST:
        raise damaged(f"{first.name!r} at its beginning, not {MANIFEST}" if first else "nothing in it")
    stream = archive.extractfile(first)
    assert stream is not None
    try:
        content = json.loads(stream.read())
    except ValueError as error:
        raise damaged(f"{MANIFEST}: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise damaged("the manifest of something else")
    if content.get("schema") != SCHEMA:
        raise BadSetting(
            "The backup was made by another version; nothing was changed",
            expected=f"a backup of form {SCHEMA}",
            found=f"form {content.get('schema')!r}, of version {content.get('version')!r}",
            remedy="restore it with that version, then upgrade",
        )
    return _parsed(content)


def _parsed(content: Mapping[str, Any]) -> Manifest:
    texts = {each.name: content.get(each.name) for each in fields(Manifest) if each.name != "files"}
    listed = content.get("files")
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(listed, list):
        raise damaged(f"{MANIFEST} lacks something")
    files = tuple(_file(each) for each in listed)
    if len({file.name for file in files}) != len(files):
        raise damaged(f"{MANIFEST} names a file twice")
    if sum(file.size for file in files if not is_model(file)) > LARGEST_FILES:
        raise damaged("files that are too large to be an appliance's")
    return Manifest(**texts, files=files)  # type: ignore[arg-type]


def _file(entry: Any) -> File:
    if not isinstance(entry, dict) or entry.keys() != {each.name for each in fields(File)}:
        raise damaged(f"{MANIFEST} has an entry {entry!r}")
    file = File(**entry)
    name: Any = file.name
    if not isinstance(name, str) or not is_allowed(name):
        raise damaged(f"a file named {name!r}")
    if type(file.size) is not int or file.size < 0 or not re.fullmatch(r"[0-7]{3}", str(file.mode)):
        raise damaged(f"{name}: size {file.size!r}, mode {file.mode!r}")
    return file


def _members(archive: tarfile.TarFile, files: Sequence[File]) -> Iterator[tuple[File, Iterator[bytes]]]:
    """Each member with its bytes; one that was not read by its user is read here."""
    for file in files:
        member = archive.next()
        if member is None:
            raise damaged(f"an end before {file.name}")
        if not member.isreg() or (member.name, member.size) != (file.name, file.size):
            raise damaged(f"{member.name!r} where {file.name!r} should be")
        pieces = _proven(archive, member, file)
        yield file, pieces
        for _ in pieces:
            pass
    member = archive.next()
    if member is not None:
        raise damaged(f"{member.name!r}, which its manifest does not list")


def _proven(archive: tarfile.TarFile, member: tarfile.TarInfo, file: File) -> Iterator[bytes]:
    stream, digest = archive.extractfile(member), hashlib.sha256()
    assert stream is not None
    while piece := stream.read(_PIECE):
        digest.update(piece)
        yield piece
    if digest.hexdigest() != file.sha256:
        raise damaged(f"{file.name} with other bytes than when it was written")


def _entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, mode
    return entry
