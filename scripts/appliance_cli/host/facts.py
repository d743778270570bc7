"""Facts about this host, gathered without changing anything. Judges nothing: checks.py does."""

import os
import platform
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

from docker import DockerClient

from appliance_cli.base.errors import HostNotReady
from appliance_cli.base.process import ask
from appliance_cli.compose.client import connect, has_image
from appliance_cli.compose.volumes import MODELS
from appliance_cli.config.appliance import Appliance
from appliance_cli.host import surroundings, toolkit
from appliance_cli.host.surroundings import Surroundings

DOCKER_DATA = Path("/var/lib/docker")
NVIDIA_PCI_VENDOR = "0x10de"
DISPLAY_PCI_CLASS = "0x03"
WSL_NVIDIA_SMI = Path("/usr/lib/wsl/lib/nvidia-smi")
"""There when Windows has NVIDIA's driver; not on root's PATH everywhere."""
DRIVER_LIST = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class System:
    """The operating system. ``family`` holds ID and ID_LIKE of os-release."""

    kernel: str
    machine: str
    name: str
    family: tuple[str, ...]
    codename: str
    root: bool
    systemd: bool
    has_apt: bool
    memory_bytes: int


@dataclass(frozen=True)
class Docker:
    """The Docker engine and its command. ``error`` is why the engine does not answer, None when it does."""

    client: bool
    daemon: bool
    error: str | None
    version: str
    data_dir: Path
    free_bytes: int
    nvidia: bool
    compose: str | None


@dataclass(frozen=True)
class Gpu:
    """One card as nvidia-smi lists it; ``index`` and ``uuid`` are what GPU_DEVICE may name."""

    index: str
    uuid: str
    name: str
    memory_mib: int


@dataclass(frozen=True)
class Nvidia:
    """NVIDIA hardware (``cards``: seen on the PCI bus or passed in by a host) and what drives it.

    ``error`` is nvidia-smi's, if it failed. ``toolkit_source``: where the container toolkit that is missing
    can be had (toolkit.source); "" where it is not missing, and where this command may not install it.
    """

    cards: int
    driver: str | None
    gpus: tuple[Gpu, ...]
    error: str
    toolkit: bool
    toolkit_source: str = ""


@dataclass(frozen=True)
class Project:
    """What Docker already holds of this appliance. ``port_owner``: free, ours, or who has the port.

    ``elsewhere``: another folder that its containers were started from; "" when there is none.
    """

    port_owner: str
    has_model_volume: bool
    has_engine_image: bool
    elsewhere: str = ""


@dataclass(frozen=True)
class Host:
    """Everything that was found."""

    system: System
    docker: Docker
    nvidia: Nvidia
    project: Project
    around: Surroundings = field(default_factory=Surroundings)


def look(appliance: Appliance) -> Host:
    """Gather the facts (about two seconds); nothing on the host changes."""
    client, error = connect()
    try:
        info = client.info() if client is not None else {}
        system, docker = _system(), _docker(info, error)
        may_install = system.root and system.has_apt and not docker.nvidia
        return Host(
            system,
            docker,
            _nvidia(appliance.toolkit_repository if may_install else None),
            _project(client, appliance),
            surroundings.look(client, info),
        )
    finally:
        if client is not None:
            client.close()


def _system() -> System:
    release = _os_release(Path("/etc/os-release"))
    pages, page_size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return System(
        kernel=platform.system(),
        machine=platform.machine(),
        name=release.get("PRETTY_NAME", platform.system()),
        family=(release.get("ID", ""), *release.get("ID_LIKE", "").split()),
        codename=release.get("VERSION_CODENAME", ""),
        root=os.geteuid() == 0,
        systemd=Path("/run/systemd/system").is_dir(),
        has_apt=shutil.which("apt-get") is not None,
        memory_bytes=pages * page_size,
    )


def _os_release(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def _docker(info: dict, error: str | None) -> Docker:  # type: ignore[type-arg]
    data_dir = Path(info.get("DockerRootDir") or DOCKER_DATA)
    existing = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    compose = ask(["docker", "compose", "version", "--short"])
    return Docker(
        client=shutil.which("docker") is not None,
        daemon=find_daemon() is not None,
        error=error,
        version=info.get("ServerVersion", ""),
        data_dir=data_dir,
        free_bytes=shutil.disk_usage(existing).free,
        nvidia=_serves_nvidia(info),
        compose=compose.out.strip().removeprefix("v") if compose.code == 0 else None,
    )


def find_daemon() -> str | None:
    """The path of dockerd, which is not always on an ordinary user's PATH."""
    return shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")


def _serves_nvidia(info: dict) -> bool:  # type: ignore[type-arg]
    devices = info.get("DiscoveredDevices") or []
    return "nvidia" in (info.get("Runtimes") or {}) or any("nvidia" in str(device) for device in devices)


def _nvidia(repository: str | None) -> Nvidia:
    query = "--query-gpu=index,uuid,name,memory.total,driver_version"
    program = shutil.which("nvidia-smi") or (str(WSL_NVIDIA_SMI) if WSL_NVIDIA_SMI.exists() else "nvidia-smi")
    answer = ask([program, query, "--format=csv,noheader,nounits"])
    gpus, driver = parse_gpus(answer.out) if answer.code == 0 else ((), None)
    hook = shutil.which("nvidia-container-runtime-hook") or shutil.which("nvidia-ctk")
    error = "" if answer.code == 0 else (answer.err or answer.out).strip().split("\n")[0]
    source = toolkit.source(repository) if gpus and hook is None and repository else ""
    return Nvidia(max(_pci_cards(), _other_traces()), driver, gpus, error, hook is not None, source)


def _other_traces() -> int:
    """Cards that are on no PCI bus here: WSL 2's, and those of a container's host that its driver lists."""
    listed = len(list(DRIVER_LIST.iterdir())) if DRIVER_LIST.is_dir() else 0
    return max(listed, int(WSL_NVIDIA_SMI.exists()))


def parse_gpus(csv: str) -> tuple[tuple[Gpu, ...], str | None]:
    """Cards and driver version from nvidia-smi's ``index,uuid,name,memory.total,driver_version`` lines."""
    rows = [[cell.strip() for cell in line.split(",")] for line in csv.splitlines() if line.count(",") == 4]
    gpus = tuple(Gpu(row[0], row[1], row[2], int(row[3]) if row[3].isdigit() else 0) for row in rows)
    return gpus, rows[0][4] if rows else None


def _pci_cards(bus: Path = Path("/sys/bus/pci/devices")) -> int:
    def content(device: Path, name: str) -> str:
        file = device / name
        return file.read_text().strip() if file.exists() else ""

    devices = list(bus.iterdir()) if bus.is_dir() else []
    return sum(
        content(device, "vendor") == NVIDIA_PCI_VENDOR
        and content(device, "class").startswith(DISPLAY_PCI_CLASS)
        for device in devices
    )


def _project(client: DockerClient | None, appliance: Appliance) -> Project:
    volume = image = False
    if client is not None:
        volume = bool(client.volumes.list(filters={"name": f"{appliance.project}_{MODELS}"}))
        image = has_image(client, appliance.tgi_image)
    return Project(_port_owner(client, appliance), volume, image, elsewhere(client, appliance))


def require_here(client: DockerClient, appliance: Appliance, instead: str) -> None:
    """Raise HostNotReady where the appliance runs from another folder; ``instead`` is what to do there."""
    folder = elsewhere(client, appliance)
    if folder:
        raise HostNotReady(
            f"{appliance.project} runs from another folder; nothing was changed",
            expected=f"one that was started from {appliance.root}, or none",
            found=folder,
            remedy=f"there: cd {folder} && ./scripts/appliance {instead}",
        )


def elsewhere(client: DockerClient | None, appliance: Appliance) -> str:
    """Another folder that the appliance's containers were started from; "" when there is none."""
    if client is None:
        return ""
    label = "com.docker.compose.project"
    own = f"{label}={appliance.project}"
    found = client.containers.list(all=True, filters={"label": own}, ignore_removed=True)
    folders = {container.labels.get(f"{label}.working_dir", "") for container in found}
    return next((folder for folder in sorted(folders - {"", str(appliance.root)})), "")


def _port_owner(client: DockerClient | None, appliance: Appliance) -> str:
    family = socket.AF_INET6 if ":" in appliance.bind_address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((appliance.bind_address, appliance.port))
            return "free"
        except PermissionError:
            return "free"  # why: a port below 1024 is Docker's to bind, and it is root
        except OSError:
            pass
    for container in client.containers.list() if client is not None else []:
        published = {int(port["HostPort"]) for ports in container.ports.values() if ports for port in ports}
        if appliance.port in published:
            ours = container.labels.get("com.docker.compose.project") == appliance.project
            return "ours" if ours else f"the container {container.name}"
    return "another program"
