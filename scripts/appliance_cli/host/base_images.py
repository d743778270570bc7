"""The two images that the appliance's own images are built on: pulled, or made from Debian packages.

Where no container registry answers, debootstrap makes equivalents from the Debian mirror that this host uses.
Which of the two is due is decided in stack/prepare.py.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.utils import parse_repository_tag

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import act, ask
from appliance_cli.compose.client import FAILURES, words
from appliance_cli.config.table import default_of
from appliance_cli.host.finding import version_tuple

MIN_NGINX = (1, 29, 6)
DEBOOTSTRAP_SCRIPTS = Path("/usr/share/debootstrap/scripts")


@dataclass(frozen=True)
class Recipe:
    """A base image: the .env key that names it, the registry's image, and how to make an equivalent.

    ``former``: what earlier versions of this program made, and wrote into .env, which no longer suffices.
    """

    key: str
    upstream: str
    made: str
    suite: str
    packages: str
    former: tuple[str, ...] = ()


RECIPES = (
    Recipe(
        key="PYTHON_BASE",
        upstream=default_of("PYTHON_BASE"),
        made="qwen-appliance/python-base:trixie",
        suite="trixie",
        packages="python3,python3-venv,ca-certificates",
    ),
    Recipe(
        key="NGINX_BASE",
        upstream=default_of("NGINX_BASE"),
        made="qwen-appliance/nginx-base:1.30-njs-stream",
        suite="forky",
        packages="nginx,libnginx-mod-http-js,libnginx-mod-stream,ca-certificates",
        # without njs, without the stream module
        former=("qwen-appliance/nginx-base:1.30", "qwen-appliance/nginx-base:1.30-njs"),
    ),
)


def pull(client: docker.DockerClient, image: str, output: Output) -> str | None:
    """Pull an image; the reason when no registry gives it.

    Gives up when the registry stays silent for as long as the client's own timeout.
    """
    repository, tag = parse_repository_tag(image)
    try:
        with output.step(f"Pulling {image}") as step:
            for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    raise _Refused(event["error"])
                step.update(f"{event.get('id', '')} {event.get('status', '')}")
    except (_Refused, *FAILURES) as error:
        return words(error)
    return None


class _Refused(Exception):
    """The registry's own words in a pull's event stream."""


def make(recipe: Recipe, mirror: str | None, output: Output, log: Path) -> None:
    """Make an equivalent with debootstrap and import it.

    Needs root, debootstrap, and about 500 MB in /var/tmp.
    """
    remedy = "set DEBIAN_MIRROR to a Debian mirror with this release, or PYTHON_BASE and NGINX_BASE to images"
    title = f"debootstrap of Debian {recipe.suite}"
    env = {"LC_ALL": "C.UTF-8", **_apt_proxy()}
    with output.step(f"Making {recipe.made} from Debian {recipe.suite}") as step, _temporary_root() as root:
        command = debootstrap(recipe, root, mirror, has_script=(DEBOOTSTRAP_SCRIPTS / recipe.suite).exists())
        act(command, title, log=log, env=env, remedy=remedy, on_line=lambda line: step.update(line[3:]))
        if recipe.key == "NGINX_BASE":
            _require_nginx(root)
        step.update("importing")
        _import(root, recipe, log)


def debootstrap(recipe: Recipe, root: Path, mirror: str | None, *, has_script: bool) -> list[str]:
    """The command that fills ``root``. Without a mirror debootstrap uses its own default."""
    argv = ["debootstrap", "--variant=minbase", f"--include={recipe.packages}", recipe.suite, str(root)]
    # why: an older debootstrap has no script for a newer release; sid's serves all of them
    if not has_script:
        return [*argv, mirror or "", str(DEBOOTSTRAP_SCRIPTS / "sid")]
    return [*argv, mirror] if mirror else argv


def import_commands(root: Path, recipe: Recipe) -> tuple[list[str], list[str]]:
    """The two ends of the pipe: the tree without apt's caches as tar, and its import as an image."""
    excludes = ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "--exclude=./var/log/*.log"]
    label = f"LABEL org.opencontainers.image.description=Debian-{recipe.suite}-made-by-scripts/appliance"
    tar = [
        "tar",
        "--create",
        "--one-file-system",
        "--numeric-owner",
        *excludes,
        "--directory",
        str(root),
        ".",
    ]
    return tar, ["docker", "import", "--change", label, "-", recipe.made]


def parse_mirror(texts: list[str]) -> str | None:
    """The first Debian archive in apt's source files (one-line or deb822 format); None without one."""
    for text in texts:
        for uri in _uris(text):
            if re.search(r"/debian/?$", uri) and uri.startswith(("http://", "https://")):
                return uri.rstrip("/")
    return None


def host_mirror() -> str | None:
    """The Debian mirror that this host's apt uses."""
    apt = Path("/etc/apt")
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    return parse_mirror([file.read_text(errors="replace") for file in files if file.is_file()])


def _uris(text: str) -> Iterator[str]:
    for line in text.splitlines():
        one_line = re.match(r"\s*deb(?:-src)?\s+(?:\[[^]]*]\s+)?(\S+)", line)
        deb822 = re.match(r"\s*URIs:\s*(.+)", line, re.IGNORECASE)
        if one_line:
            yield one_line[1]
        elif deb822:
            yield from deb822[1].split()


def _apt_proxy() -> dict[str, str]:
    """What apt is told about proxies, for debootstrap, which reads only the environment."""
    if "http_proxy" in os.environ:
        return {}
    answer = ask(["apt-config", "shell", "P", "Acquire::http::Proxy"])
    match = re.match(r"P='(.+)'", answer.out)
    return {"http_proxy": match[1]} if match else {}


def _require_nginx(root: Path) -> None:
    answer = ask(["chroot", str(root), "nginx", "-v"])
    match = re.search(r"nginx/(\S+)", answer.err + answer.out)
    if match is None or version_tuple(match[1]) < MIN_NGINX:
        raise StepFailed(
            "The Debian mirror's nginx cannot be used",
            expected=f"nginx {'.'.join(map(str, MIN_NGINX))} or newer (cookie affinity)",
            found=match[0] if match else answer.err.strip() or "no nginx",
            remedy="set DEBIAN_MIRROR to a current Debian mirror, or NGINX_BASE to an nginx 1.30 image",
        )


def _import(root: Path, recipe: Recipe, log: Path) -> None:
    tar_command, import_command = import_commands(root, recipe)
    with subprocess.Popen(tar_command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tar:
        done = subprocess.run(import_command, stdin=tar.stdout, capture_output=True, text=True, check=False)
    if done.returncode != 0 or tar.returncode != 0:
        raise StepFailed(
            f"Importing {recipe.made} failed",
            expected="docker import to succeed",
            found=done.stderr.strip() or f"tar ended with {tar.returncode}",
            remedy=f"see that Docker's disk has room; {log} has the steps before",
        )


@contextmanager
def _temporary_root() -> Iterator[Path]:
    # why: /tmp is often a tmpfs in which device files or programs are forbidden; debootstrap needs both
    root = Path(tempfile.mkdtemp(prefix="appliance-base-", dir="/var/tmp"))
    root.chmod(0o755)
    try:
        yield root
    finally:
        # why: an interrupted debootstrap leaves /proc and /sys mounted inside; nothing of the host may be
        # deleted
        for mount in _mounts_below(root):
            ask(["umount", mount])
        if not _mounts_below(root):
            shutil.rmtree(root, ignore_errors=True)


def _mounts_below(root: Path) -> list[str]:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted((mount for mount in mounts if mount.startswith(f"{root}/")), reverse=True)
