"""Gets a release into a folder beside this one: of a tag of this clone, or a tarball. Or finds it in one."""

import re
import shutil
from pathlib import Path

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import Answer, ask
from appliance_cli.config import version

_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")
_OWN = "scripts/appliance_cli/release"  # a release without it cannot take over from another one
NETWORK_S = 300.0


def get(root: Path, wanted: str, output: Output) -> Path:
    """The folder of the release that ``wanted`` names; made when it is a tag or a tarball.

    Raises:
        BadSetting: it names none, or one that cannot take over.
        StepFailed: it could not be unpacked.
    """
    given = Path(wanted).expanduser()
    if given.is_dir():
        folder = given.resolve()
    elif given.is_file():
        folder = _unpacked(given.resolve(), root, output)
    else:
        folder = _cloned(wanted, root, output)
    if not (folder / _OWN).is_dir():
        raise BadSetting(
            "That is no release that can take over",
            expected=f"a folder with {version.FILE} and {_OWN}",
            found=str(folder),
            remedy="name a version, a tarball or a folder of 1.1.0 or later",
        )
    return folder


def place(root: Path, number: str) -> Path:
    """The folder for a version: beside this one, called as this one without its own version."""
    bare = re.sub(r"-\d+\.\d+\.\d+$", "", root.name)
    return root.with_name(f"{bare}-{number}")


def _unpacked(archive: Path, root: Path, output: Output) -> Path:
    fresh = root.with_name(f".{root.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    with output.step(f"Unpacking {archive.name}"):
        fresh.mkdir()
        options = ["--strip-components=1", "--no-same-owner"]
        answer = ask(["tar", "-xf", str(archive), "-C", str(fresh), *options], timeout=NETWORK_S)
        if answer.code != 0 or not (fresh / version.FILE).exists():
            shutil.rmtree(fresh)
            raise _failed(f"{archive} to hold one folder with the release", answer)
    folder = place(root, version.of(fresh))
    if folder.exists():
        shutil.rmtree(fresh)
        _require_same(folder, version.of(folder) if (folder / version.FILE).exists() else "something else")
        return folder
    return fresh.rename(folder)


def _require_same(folder: Path, found: str) -> None:
    if not folder.name.endswith(f"-{found}"):
        raise BadSetting(
            "The folder for that release is taken",
            expected=f"{folder} not to be there, or to hold that release",
            found=found,
            remedy="move it away, or give that folder: --to FOLDER",
        )


def _cloned(wanted: str, root: Path, output: Output) -> Path:
    match = _VERSION.fullmatch(wanted)
    if match is None:
        raise _unknown(wanted, "no version, and no file or folder of this name")
    if not (root / ".git").exists():
        raise _unknown(wanted, f"{root} is no clone, so it knows no versions")
    folder, tag = place(root, match[1]), f"v{match[1]}"
    if folder.exists():
        _require_same(folder, version.of(folder) if (folder / version.FILE).exists() else "something else")
        return folder
    with output.step(f"Getting {tag} into {folder}") as step:
        fetched = _git(root, "fetch", "--quiet", "--tags")
        if _git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}").code != 0:
            known = _git(root, "tag", "--list", "v*", "--sort=-version:refname").out.split()[:5]
            why = f"; git fetch: {_last(fetched)}" if fetched.code != 0 else ""
            raise _unknown(wanted, f"this clone knows {', '.join(known) or 'no version'}{why}")
        if fetched.code != 0:
            step.title += " (from what was fetched earlier)"
        # why: a clone, not a worktree: the former folder may be deleted one day
        done = _git(root, "clone", "--quiet", "--branch", tag, str(root), str(folder))
        if done.code != 0:
            raise _failed(f"git to clone {tag} into {folder}", done)
        origin = _git(root, "remote", "get-url", "origin")
        if origin.code == 0:
            _git(folder, "remote", "set-url", "origin", origin.out.strip())
    return folder


def _git(folder: Path, *words: str) -> Answer:
    # why: it asks nobody for a password
    return ask(["git", "-C", str(folder), *words], timeout=NETWORK_S, env={"GIT_TERMINAL_PROMPT": "0"})


def _last(answer: Answer) -> str:
    return (answer.err.strip() or f"exit code {answer.code}").splitlines()[-1]


def _unknown(wanted: str, found: str) -> BadSetting:
    return BadSetting(
        f"{wanted} names no release",
        expected="a version that this clone knows, a tarball, or the folder of a release",
        found=found,
        remedy="--to 1.2.0, --to FILE.tar.gz or --to FOLDER",
    )


def _failed(expected: str, answer: Answer) -> StepFailed:
    return StepFailed(
        "The release could not be unpacked",
        expected=expected,
        found=_last(answer),
        remedy="put that right and run this again; the appliance goes on as it is",
    )
