"""Makes a backup: collected, written beside its name, read back, encrypted if asked, and only then named."""

import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from docker import DockerClient

from appliance_cli.backup import archive, contents, encryption
from appliance_cli.backup.archive import MODELS, Content, Manifest
from appliance_cli.backup.encryption import Decryption, Encryption
from appliance_cli.base.errors import ApplianceError, BadSetting, StepFailed
from appliance_cli.base.output import Output, size
from appliance_cli.compose import commands as compose
from appliance_cli.compose import runner
from appliance_cli.config import version
from appliance_cli.config.appliance import Appliance
from appliance_cli.stack import models

_SUFFIX = ".tar.gz"


@dataclass(frozen=True)
class Made:
    """A backup that was made and proven."""

    path: Path
    size: int
    manifest: Manifest
    encrypted: str | None
    left_out: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "file": str(self.path),
            "size": self.size,
            "made": self.manifest.made,
            "version": self.manifest.version,
            "files": len(self.manifest.files),
            "encrypted": self.encrypted,
            "left_out": list(self.left_out),
        }


def target_of(given: Path, project: str, encrypted: Encryption | None, now: datetime) -> Path:
    """The file to write: ``given``, or in that folder one of a name with the date. Raises BadSetting."""
    suffix = f".{encrypted.program}" if encrypted else ""
    path = given / f"{project}-{now:%Y-%m-%dT%H%M%SZ}{_SUFFIX}{suffix}" if given.is_dir() else given
    if not path.parent.is_dir():
        raise _refused("a file in a folder that is there, or such a folder", f"no folder {path.parent}")
    if path.exists():
        raise _refused("a new file, or a folder, in which it gets a name with the date", f"{path} is there")
    return path


def _refused(expected: str, found: str) -> BadSetting:
    return BadSetting(
        "The backup cannot be written there; nothing was made",
        expected=expected,
        found=found,
        remedy="name another file or folder",
    )


def make(
    appliance: Appliance,
    client: DockerClient,
    target: Path,
    output: Output,
    *,
    with_model: bool = False,
    encrypted: Encryption | None = None,
) -> Made:
    """Write ``target``, readable by its owner only. Nothing of it is left where this fails.

    Raises HostNotReady or StepFailed.
    """
    with output.step("Collecting") as step, tempfile.TemporaryDirectory(dir=target.parent) as staging:
        found = contents.collect(appliance, client)
        if with_model:
            found.files |= _exported(appliance, Path(staging), output)
        files = tuple(content.described(name) for name, content in found.files.items())
        now = datetime.now(UTC)
        manifest = Manifest(
            version.of(appliance.root),
            appliance.project,
            str(appliance.root),
            socket.gethostname(),
            f"{now:%Y-%m-%dT%H:%M:%SZ}",
            files,
        )
        step.title = f"Collected: {len(files)} files"
        with _named_at_the_end(target) as out:
            _write(out, manifest, found.files, encrypted)
    written = target.stat().st_size
    proof = "read back and proven" + (", then encrypted" if encrypted else "")
    output.item("ok", f"{target}, {size(written)}: {proof}")
    for each in found.left_out:
        output.item("warn", f"Not in it: {each}")
    program = encrypted.program if encrypted else None
    return Made(target, written, manifest, program, tuple(found.left_out))


def prune(folder: Path, project: str, keep: int) -> list[Path]:
    """Delete this appliance's dated backups in the folder but the ``keep`` newest; those that went."""
    dated = re.compile(
        rf"{re.escape(project)}-\d{{4}}-\d\d-\d\dT\d{{6}}Z{re.escape(_SUFFIX)}(?:\.age|\.gpg)?"
    )
    found = sorted(path for path in folder.iterdir() if dated.fullmatch(path.name) and path.is_file())
    gone = found[: max(0, len(found) - keep)]
    for path in gone:
        path.unlink()
    return gone


def _write(
    out: IO[bytes], manifest: Manifest, files: dict[str, Content], encrypted: Encryption | None
) -> None:
    if encrypted is None:
        _write_plain(out, manifest, files)
        return
    # why: without a name, it is on no disk any more when this ends, however it does
    with tempfile.TemporaryFile(dir=Path(out.name).parent) as plain:
        _write_plain(plain, manifest, files)
        encryption.encrypt(encrypted, plain, out)
    if encrypted.passphrase_file is not None:
        how = Decryption(passphrase_file=encrypted.passphrase_file)
        with tempfile.TemporaryFile(dir=Path(out.name).parent) as again:
            encryption.decrypt(how, encrypted.program, out, again)
            archive.check(again)


def _write_plain(out: IO[bytes], manifest: Manifest, files: dict[str, Content]) -> None:
    # weights hardly shrink, and would take long
    archive.write(out, manifest, files, 1 if manifest.of(MODELS) else 6)
    out.flush()
    os.fsync(out.fileno())
    out.seek(0)
    if archive.check(out) != manifest:
        raise archive.damaged("another manifest than was written")


@contextmanager
def _named_at_the_end(target: Path) -> Iterator[IO[bytes]]:
    """A file for its owner alone that gets its name when all went well, and is gone otherwise."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        with open(temporary, "w+b") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise StepFailed(
            "The backup could not be written",
            expected=f"room for it in {target.parent}, and leave to write there",
            found=error.strerror or str(error),
            remedy="make room, or name another place; nothing of it is left",
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _exported(appliance: Appliance, staging: Path, output: Output) -> dict[str, Content]:
    """Each complete model as `model export` writes it."""
    answer = runner.ask(
        appliance, compose.model_init(appliance, ["list", "--json"], {}, terminal=False), timeout=300
    )
    try:
        listed = json.loads(answer.out)["models"]
        names = [each["model_id"] for each in listed if each["complete"]]
    except (ValueError, KeyError, TypeError) as error:
        raise _no_models(answer.err.strip() or repr(error)) from error
    exported: dict[str, Content] = {}
    for number, name in enumerate(names):
        file = staging / f"{number}.tar"
        output.say(f"    {name}")
        if models.export(appliance, name, file) != 0:
            raise _no_models(f"model-init's words about {name}, above")
        exported[f"{MODELS}/{number}.tar"] = Content(file)
    return exported


def _no_models(found: str) -> ApplianceError:
    return StepFailed(
        "The models could not be taken into the backup",
        expected="model-init to list and export them",
        found=found,
        remedy="./scripts/appliance verify says what is wrong with them; or leave --with-model out",
    )
