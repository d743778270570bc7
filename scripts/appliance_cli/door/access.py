"""The access directory: the files that tell nginx who may enter and with which certificate.

Owns how they are written: whole or not at all, readable by their owner only, by one command at a time, and as
root with the owner that nginx runs as. What is in them is the business of keys.py, users.py and tls.py.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.door import Owner

FOLDER_MODE, FILE_MODE = 0o700, 0o600
LOCK = ".lock"
# What may lie in the folder before its first use: our own files, the operator's nginx additions, git's.
CUSTOM = "custom"
NOT_OURS = frozenset({".gitignore", ".gitkeep", "README.md"})
EXPECTED = NOT_OURS | {"keys.json", "users.json", "users.htpasswd", "session.secret", "tls", CUSTOM}


@dataclass(frozen=True)
class AccessDir:
    """One appliance's access directory. ``owner`` is whom root gives its files."""

    path: Path
    owner: Owner

    def require_usable(self) -> None:
        """Raise BadSetting or HostNotReady when this command could not, or should not, write here."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise _unusable("a folder", f"{self.path} is a file")
        user, uid = os.geteuid(), self.path.stat().st_uid
        try:
            foreign = {entry.name for entry in self.path.iterdir()} - EXPECTED
        except PermissionError as error:
            raise self._of_another(uid, "run this with sudo") from error
        if foreign and LOCK not in foreign:
            # why: it becomes private and changes its owner, which would ruin somebody else's folder
            raise _unusable("a folder of its own", f"{self.path} holds {', '.join(sorted(foreign)[:3])}")
        remedy = f"sudo chown -R {user}:{os.getegid()} {self.path}, or run this with sudo"
        if user not in (0, uid):
            raise self._of_another(uid, remedy)
        for path, state in self._inside():
            if user not in (0, state.st_uid) and not os.access(path, os.R_OK, effective_ids=True):
                raise self._of_another(state.st_uid, remedy, path)

    def mend(self) -> list[str]:
        """Give back what nginx needs to read it: the owner (as root) and the modes; returns what changed.

        A copy, a restore or a chmod may have taken it. Raises as `require_usable` does.
        """
        if not self.path.is_dir():
            return []
        before = self.path.stat()
        if os.geteuid() in (0, before.st_uid) and before.st_mode & 0o700 != 0o700:
            self.path.chmod(before.st_mode & 0o777 | 0o700)
        with self.changing():
            changed = [str(self.path)] if _seen(before) != _seen(self.path.stat()) else []
            return changed + [
                str(path.relative_to(self.path))
                for path, state in self._inside()
                if self._put_right(path, _mode_of(path.relative_to(self.path), state.st_mode))
            ]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Make the folder on first use, and keep other commands from changing it meanwhile."""
        self.require_usable()
        self._make(self.path)
        handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:
                os.fchown(handle, self.owner.uid, self.owner.gid)
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read(self, name: str) -> str | None:
        """A file's text, None when there is no such file. Raises BadSetting when it is not text."""
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except PermissionError:
            self.require_usable()
            raise
        except UnicodeDecodeError as error:
            raise damaged(path, "UTF-8 text", str(error)) from error

    def write(self, name: str, text: str) -> bool:
        """Replace a file in one step; False when it has that text already. Only inside ``changing``."""
        target = self.path / name
        if target.exists() and target.read_bytes() == text.encode():
            return False
        self.put(name, text.encode(), FILE_MODE)
        return True

    def put(self, name: str, content: bytes, mode: int) -> None:
        """Replace a file in one step, whatever it is; its mode is ``mode``. Only inside ``changing``."""
        target = self.path / name
        for folder in reversed(target.relative_to(self.path).parents):
            self._make(self.path / folder)
        owner = (self.owner.uid, self.owner.gid) if os.geteuid() == 0 else None
        atomic_file.replace(target, content, mode, owner)

    def _inside(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every file and folder in it that is a matter of ours; links are not."""
        for name, folders, files in os.walk(self.path):
            for path in (Path(name) / each for each in (*folders, *files) if each not in NOT_OURS):
                state = path.lstat()
                if stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode):
                    yield path, state

    def _of_another(self, uid: int, remedy: str, path: Path | None = None) -> HostNotReady:
        return HostNotReady(
            "The access directory cannot be used; nothing was changed",
            expected=f"a folder of yours (user {os.geteuid()})",
            found=f"{path or self.path} belongs to {'root' if uid == 0 else f'user {uid}'}",
            remedy=remedy,
        )

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._put_right(folder, FOLDER_MODE)

    def _put_right(self, path: Path, mode: int) -> bool:
        """Whether the mode or, as root, the owner had to be changed."""
        found = path.stat()
        wrong_owner = os.geteuid() == 0 and (found.st_uid, found.st_gid) != (self.owner.uid, self.owner.gid)
        if wrong_owner:
            os.chown(path, self.owner.uid, self.owner.gid)
        wrong_mode = found.st_mode & 0o777 != mode and os.geteuid() in (0, found.st_uid)
        if wrong_mode:
            path.chmod(mode)
        return wrong_owner or wrong_mode


def _mode_of(name: Path, mode: int) -> int:
    """The mode that something should have; the operator's additions keep theirs where nginx can read."""
    if CUSTOM in name.parts[:1]:
        return mode & 0o777 | (0o700 if stat.S_ISDIR(mode) else 0o400)
    return FOLDER_MODE if stat.S_ISDIR(mode) else FILE_MODE


def _seen(state: os.stat_result) -> tuple[int, int, int]:
    return state.st_mode, state.st_uid, state.st_gid


def of(appliance: Appliance) -> AccessDir:
    """The access directory of an appliance."""
    return AccessDir(appliance.access_dir, appliance.owner)


def damaged(path: Path, expected: str, found: str) -> BadSetting:
    """A file that somebody changed by hand and that cannot be read any more."""
    return BadSetting(
        f"{path.name} is damaged; it was left as it is",
        expected=expected,
        found=f"{path}: {found}",
        remedy="put it right by hand, or move it away to begin anew (nginx goes on with what it read last)",
    )


def _unusable(expected: str, found: str) -> BadSetting:
    return BadSetting(
        "ACCESS_DIR cannot be used",
        expected=expected,
        found=found,
        remedy="set ACCESS_DIR in .env to a new or empty folder, or remove the line to get the default",
    )
