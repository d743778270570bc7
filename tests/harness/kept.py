"""An appliance's folder, volumes in place of Docker's, and its backup made and restored, for unit tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from appliance_cli.backup import archive, make, restore
from appliance_cli.backup.archive import Content
from appliance_cli.backup.encryption import Decryption, Encryption
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance, load


@dataclass
class Volumes:
    """In place of Docker: the files of each volume by its name."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    owners: dict[str, tuple[int, int]] = field(default_factory=dict)

    def create(self, name: str, labels: Mapping[str, str]) -> None:
        assert labels["com.docker.compose.volume"] == "nginx-state"
        self.files[name] = {}

    @property
    def volumes(self) -> Volumes:
        """As docker-py's client has them."""
        return self


def settle(root: Path, env: str = "COMPOSE_PROJECT_NAME=mine\n") -> Appliance:
    """An appliance in a folder, which has nothing but its version and its settings."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "docker-compose.yml").write_text('x-version: &version "1.2.0"\n')
    (root / ".env").write_text(env)
    return load(root, root / ".env")


def backed_up(
    appliance: Appliance, docker: Volumes, file: Path, encrypted: Encryption | None = None
) -> make.Made:
    return make.make(appliance, docker, file, Output(), encrypted=encrypted)  # type: ignore[arg-type]


def restored(file: Path, present: Appliance, docker: Volumes, how: Decryption | None = None) -> Appliance:
    """Restore as the command does, without asking."""
    client: Any = docker
    with restore.opened(file, how or Decryption(), present.logs) as stream:
        plan = restore.plan(stream, present, client)
        restore.put_back(plan, stream, present, client, Output())
    return load(present.root, present.env_file)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def rewritten(file: Path, added: Mapping[str, bytes] | None = None, **head: Any) -> None:
    """The same backup with other words in its manifest, or with files that were ``added`` or replaced."""
    with file.open("rb") as stream:
        manifest, files = archive.read(stream)
    contents = {name: Content(data) for name, data in {**files, **(added or {})}.items()}
    listed = tuple(each.described(name) for name, each in contents.items())
    with file.open("wb") as out:
        archive.write(out, replace(manifest, **{"files": listed, **head}), contents, 6)
