"""Judges the facts about a host: which engine, and what stands in the way. Pure: no I/O, no output."""

from dataclasses import dataclass, replace
from typing import Literal

from appliance_cli.base.errors import HostNotReady
from appliance_cli.base.output import size
from appliance_cli.config.appliance import Appliance, Engine
from appliance_cli.host import surrounding_checks
from appliance_cli.host.drivers import CONFIGURE, DRIVERS, WINDOWS, toolkit_commands
from appliance_cli.host.facts import Host
from appliance_cli.host.finding import Finding, Level, version_tuple

Step = Literal["install-docker", "install-toolkit", "start-docker", "install-compose"]

MIN_DOCKER = (20, 10)
MIN_COMPOSE = (2, 26)  # older ones misread the files here: docs/decisions.md
MIN_DRIVER, GOOD_DRIVER = 550, 570  # TGI 3.3.7 is built on CUDA 12.4 with PyTorch for CUDA 12.8
IMAGES_DISK: dict[Engine, int] = {"gpu": 14_700_000_000, "cpu": 2_900_000_000}  # TGI's is a download of 12 GB
ASSUMED_MODEL_DISK: dict[Engine, int] = {"gpu": 15_300_000_000, "cpu": 100_000_000}  # the default models'
NEEDED_MEMORY: dict[Engine, int] = {"gpu": 8_000_000_000, "cpu": 2_000_000_000}
GOOD_MEMORY: dict[Engine, int] = {"gpu": 16_000_000_000, "cpu": 4_000_000_000}
GOOD_GPU_MEMORY_MIB = 12_000
TOOLKIT_GUIDE = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
DRIVER_GUIDE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
DOCKER_GUIDE = "https://docs.docker.com/engine/install/"
COMPOSE_GUIDE = "https://docs.docker.com/compose/install/linux/"


@dataclass(frozen=True)
class Model:
    """The model that is to be on disk; ``disk_bytes`` is None where nobody knows before its download."""

    name: str
    disk_bytes: int | None


def choose_engine(host: Host, requested: str, configured: Engine | None) -> Engine:
    """GPU or CPU: what was asked for, else what .env says, else what the host has.

    A host with an NVIDIA card is never given the CPU engine unasked, even when the card cannot be used.
    """
    if requested in ("gpu", "cpu"):
        return "gpu" if requested == "gpu" else "cpu"
    return configured or ("gpu" if host.nvidia.cards or host.nvidia.gpus else "cpu")


def examine(
    host: Host, engine: Engine, appliance: Appliance, model: Model, *, starting: bool
) -> list[Finding]:
    """Every finding, in the order in which a person would look. The port matters only to a start."""
    findings = [
        _named("system", _system(host)),
        _named("docker", _docker(host)),
        _named("compose", _compose(host)),
    ]
    if host.docker.error is None:
        findings += surrounding_checks.examine(host.around, host.docker.version, appliance, engine)
    findings += _gpu(host, appliance) if engine == "gpu" else [_named("gpu-unused", _no_gpu(host))]
    findings += [_named("disk", _disk(host, engine, model)), _named("memory", _memory(host, engine))]
    return [*findings, _named("port", _port(host, appliance))] if starting else findings


def _named(check: str, finding: Finding) -> Finding:
    return replace(finding, check=check)


def steps(host: Host, engine: Engine) -> list[Step]:
    """What this command has to supply before it can go on, in order."""
    docker = host.docker
    needed: list[Step] = []
    if docker.error is not None and not (docker.daemon and docker.client):
        needed.append("install-docker")
    if engine == "gpu" and _may_install_toolkit(host):
        needed.append("install-toolkit")
    if docker.error is not None:
        needed.append("start-docker")
    if version_tuple(docker.compose or "") < MIN_COMPOSE:
        needed.append("install-compose")
    return needed


def require_no_failure(findings: list[Finding]) -> None:
    """Raise HostNotReady for what no step of this command can supply."""
    failed = [finding for finding in findings if finding.level == "fail"]
    if not failed:
        return
    first, *others = failed
    raise HostNotReady(
        "This host cannot run the appliance yet; nothing was changed",
        expected=first.expected,
        found=first.found,
        remedy="\n".join([first.remedy, *(other.remedy for other in others)]),
    )


def may_install(host: Host) -> bool:
    """Whether this command can install packages here: root, on Debian or one of its kind."""
    return host.system.root and host.system.has_apt and bool({"debian", "ubuntu"} & set(host.system.family))


def _system(host: Host) -> Finding:
    system = host.system
    if system.kernel != "Linux":
        return Finding("fail", f"{system.kernel}", "Linux", "run this on a Linux host (or inside WSL 2)")
    return Finding("ok", f"{system.name}, {system.machine}{', root' if system.root else ''}")


def _docker(host: Host) -> Finding:
    docker, expected = host.docker, f"Docker Engine {'.'.join(map(str, MIN_DOCKER))} or newer, running"
    if docker.error is None:
        if version_tuple(docker.version) < MIN_DOCKER:
            return Finding("fail", f"Docker Engine {docker.version}", expected, f"upgrade it: {DOCKER_GUIDE}")
        if not docker.client:
            return Finding(
                "fail", "no docker command", expected, f"install the docker command: {DOCKER_GUIDE}"
            )
        return Finding("ok", f"Docker Engine {docker.version}")
    if "permission denied" in docker.error:
        remedy = "run this with sudo, or log in again after: sudo usermod -aG docker $USER"
        return Finding("fail", f"Docker Engine: {docker.error}", expected, remedy)
    if not (docker.daemon and docker.client):
        return _installable(host, expected)
    if host.system.root:
        found = "Docker Engine is installed but not running"
        return Finding("todo", found, expected, "it will be started")
    remedy = "start it: sudo systemctl start docker (or run this with sudo)"
    return Finding("fail", f"Docker Engine does not answer: {docker.error}", expected, remedy)


def _installable(host: Host, expected: str) -> Finding:
    if may_install(host):
        return Finding("todo", "no Docker Engine", expected, "it will be installed (package docker.io)")
    how = (
        "run this with sudo"
        if host.system.has_apt and not host.system.root
        else f"install it: {DOCKER_GUIDE}"
    )
    return Finding("fail", "no Docker Engine", expected, how)


def _compose(host: Host) -> Finding:
    found, expected = host.docker.compose, f"Docker Compose {'.'.join(map(str, MIN_COMPOSE))} or newer"
    if found and version_tuple(found) >= MIN_COMPOSE:
        return Finding("ok", f"Docker Compose {found}")
    text = f"Docker Compose {found}" if found else "no Docker Compose plugin"
    if host.system.machine == "x86_64":
        return Finding("todo", text, expected, "the plugin will be installed")
    return Finding("fail", text, expected, f"install it: {COMPOSE_GUIDE}")


def _no_gpu(host: Host) -> Finding:
    if host.nvidia.cards or host.nvidia.gpus:
        return Finding(
            "warn", "NVIDIA card left unused: the CPU engine was asked for", "", "use it: --engine gpu"
        )
    return Finding("ok", "no NVIDIA card: CPU engine (for trying the appliance; far slower than a GPU)")


def _gpu(host: Host, appliance: Appliance) -> list[Finding]:
    nvidia = host.nvidia
    on_cpu = "; or try it without the GPU: --cpu (short for --engine cpu)"
    if host.system.machine != "x86_64":
        found, expected = f"a {host.system.machine} host", "x86_64 (TGI's image)"
        return [Finding("fail", found, expected, f"use another host{on_cpu}", "gpu-none")]
    if not nvidia.cards and not nvidia.gpus:
        expected = "an NVIDIA GPU with 12 GB or more"
        return [Finding("fail", "no NVIDIA card", expected, f"add one{on_cpu}", "gpu-none")]
    if not nvidia.driver:
        found = f"an NVIDIA card, but no working driver ({nvidia.error or 'nvidia-smi lists no card'})"
        remedy = (
            f"install NVIDIA's driver {GOOD_DRIVER} or newer, restart, and see that nvidia-smi "
            f"works{on_cpu}\n"
            f"{_driver_here(host)}"
        )
        return [Finding("fail", found, f"NVIDIA driver {MIN_DRIVER} or newer", remedy, "driver-none")]
    return [
        _named("driver-old", _driver(host, nvidia.driver, on_cpu)),
        *(_named("gpu-pinned", finding) for finding in _card(host, appliance)),
        _named("toolkit", _toolkit(host, appliance.toolkit_repository, on_cpu)),
    ]


def _driver_here(host: Host) -> str:
    """The commands that bring a driver to this system."""
    if host.around.wsl:
        return WINDOWS
    ours = (
        way for way in DRIVERS if way.system in host.system.family and way.codename == host.system.codename
    )
    way = next(ours, None)
    return "\n".join([f"{way.has}:", *way.commands]) if way else f"how: {DRIVER_GUIDE}"


def _driver(host: Host, version: str, on_cpu: str) -> Finding:
    major = (version_tuple(version) or (0,))[0]
    expected, upgrade = (
        f"NVIDIA driver {MIN_DRIVER} or newer",
        f"upgrade the driver to {GOOD_DRIVER} or newer{on_cpu}\n{_driver_here(host)}",
    )
    if major < MIN_DRIVER:
        return Finding("fail", f"NVIDIA driver {version}", expected, upgrade)
    return Finding("ok" if major >= GOOD_DRIVER else "warn", f"NVIDIA driver {version}", expected, upgrade)


def _card(host: Host, appliance: Appliance) -> list[Finding]:
    gpus, wanted = host.nvidia.gpus, appliance.gpu_device
    card = next((gpu for gpu in gpus if wanted in (gpu.index, gpu.uuid)), None)
    if card is None:
        names = ", ".join(f"{gpu.index} ({gpu.uuid})" for gpu in gpus)
        return [Finding("fail", f"GPU_DEVICE={wanted}", f"one of {names}", "set GPU_DEVICE in .env")]
    text = f"GPU {card.index}: {card.name}, {card.memory_mib / 1024:.0f} GiB"
    remedy = "lower MAX_TOTAL_TOKENS in .env if the engine reports that memory is short"
    return [
        Finding("ok" if card.memory_mib >= GOOD_GPU_MEMORY_MIB else "warn", text, "12 GiB or more", remedy)
    ]


def _may_install_toolkit(host: Host) -> bool:
    nvidia = host.nvidia
    missing = bool(nvidia.driver) and not (nvidia.toolkit or host.docker.nvidia)
    return missing and bool(nvidia.toolkit_source) and may_install(host) and not host.around.desktop


def _toolkit(host: Host, repository: str, on_cpu: str) -> Finding:
    if host.docker.nvidia:
        return Finding("ok", "NVIDIA Container Toolkit")
    if host.nvidia.toolkit:
        remedy = f"if a container cannot get the card: {CONFIGURE}"
        return Finding(
            "warn", "NVIDIA Container Toolkit, not yet known to Docker", "Docker's nvidia runtime", remedy
        )
    found, expected = "no NVIDIA Container Toolkit", "the toolkit that gives containers the card"
    if _may_install_toolkit(host):
        return Finding("todo", found, expected, f"it will be installed (from {host.nvidia.toolkit_source})")
    if not host.system.has_apt or host.around.desktop:
        return Finding("fail", found, expected, f"install it ({TOOLKIT_GUIDE}), then {CONFIGURE}{on_cpu}")
    why = "run this with sudo, or" if not host.system.root else f"{repository} does not answer;"
    commands = "\n".join(toolkit_commands(repository))
    return Finding("fail", found, expected, f"{why} install it by hand{on_cpu}\n{commands}")


def _disk(host: Host, engine: Engine, model: Model) -> Finding:
    has_images = engine == "gpu" and host.project.has_engine_image
    assumed = ASSUMED_MODEL_DISK[engine]
    needed = (0 if has_images else IMAGES_DISK[engine]) + (model.disk_bytes or assumed)
    text = f"{size(host.docker.free_bytes)} free in {host.docker.data_dir}"
    if model.disk_bytes is None:
        text += f" (how large {model.name} is, nobody knows before its download: {size(assumed)} assumed)"
    if host.docker.free_bytes >= needed:
        return Finding("ok", text)
    remedy = "free some space (docker system prune), or move Docker's data to a larger disk"
    # why: with the model's volume there, most of the need may be met already; model-init checks the rest to
    # the byte
    level: Level = "warn" if host.project.has_model_volume else "fail"
    what = model.name if has_images else f"the images and {model.name}"
    return Finding(level, text, f"{size(needed)} for {what}", remedy)


def _memory(host: Host, engine: Engine) -> Finding:
    total = host.system.memory_bytes
    text, expected = f"{size(total)} memory", f"{size(GOOD_MEMORY[engine])} or more"
    if total < NEEDED_MEMORY[engine]:
        return Finding("fail", text, expected, f"use a host with {expected} of memory")
    return Finding("ok" if total >= GOOD_MEMORY[engine] else "warn", text, expected, "close other programs")


def _port(host: Host, appliance: Appliance) -> Finding:
    owner, port = host.project.port_owner, f"port {appliance.port} on {appliance.bind_address}"
    if owner in ("free", "ours"):
        return Finding("ok", f"{port} is {'free' if owner == 'free' else 'this appliance’s already'}")
    return Finding(
        "fail", f"{port} is used by {owner}", "a free port", "stop that, or choose another: --port N"
    )
