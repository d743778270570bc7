"""The commands that bring NVIDIA's driver and container toolkit to each system, for who types them.

docs/install.md has the same ones. toolkit.py runs the toolkit's.
"""

from dataclasses import dataclass

CONFIGURE = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
"""Has Docker know the container toolkit."""
GENERATE = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml && sudo systemctl restart docker"
"""Writes the list of devices by which Docker hands over cards where it does so by CDI."""
WINDOWS = (
    "in Windows, not in WSL: NVIDIA's driver 570 or newer, then in PowerShell: wsl --update; wsl --shutdown"
)
"""WSL 2 has the driver of Windows; one installed inside breaks it."""

_KEYRING = (
    "https://developer.download.nvidia.com/compute/cuda/repos/{release}/x86_64/cuda-keyring_1.1-1_all.deb"
)


def _nvidias(release: str) -> tuple[str, ...]:
    """NVIDIA's own repository; of its packages those that a machine without a screen needs."""
    return (
        "sudo apt-get update && sudo apt-get install -y wget linux-headers-$(uname -r)",
        f"wget {_KEYRING.format(release=release)}",
        "sudo dpkg -i cuda-keyring_1.1-1_all.deb",
        "sudo apt-get update && sudo apt-get install -y nvidia-driver-cuda nvidia-kernel-open-dkms",
        "sudo reboot",
    )


_UBUNTUS = ("sudo apt-get update && sudo apt-get install -y nvidia-driver-570-server-open", "sudo reboot")


@dataclass(frozen=True)
class Way:
    """One release of a system: what it has by itself, and how to have 570 or newer."""

    system: str
    codename: str
    has: str
    commands: tuple[str, ...]


DRIVERS = (
    Way("debian", "bookworm", "Debian 12's own package is 535, too old", _nvidias("debian12")),
    Way("debian", "trixie", "Debian 13's own package is 550, just enough", _nvidias("debian13")),
    Way("ubuntu", "jammy", "Ubuntu 22.04 has 570 itself", _UBUNTUS),
    Way("ubuntu", "noble", "Ubuntu 24.04 has 570 itself", _UBUNTUS),
)


def toolkit_commands(repository: str) -> tuple[str, ...]:
    """How Debian, Ubuntu and their like get the container toolkit, and Docker to know it."""
    return (
        f"sudo install -d {KEYRING.rpartition('/')[0]}",
        f"sudo wget -O {KEYRING} {key_url(repository)}",
        f"echo '{apt_source(repository)}' | sudo tee {APT_SOURCE}",
        "sudo apt-get update && sudo apt-get install -y nvidia-container-toolkit",
        CONFIGURE,
    )


KEYRING = "/etc/apt/keyrings/nvidia-container-toolkit.asc"
APT_SOURCE = "/etc/apt/sources.list.d/nvidia-container-toolkit.list"


def key_url(repository: str) -> str:
    """Where the toolkit's repository has the key that signs it."""
    return f"{repository.rstrip('/')}/gpgkey"


def apt_source(repository: str) -> str:
    """The line of apt's that names the toolkit's repository."""
    return f"deb [signed-by={KEYRING}] {repository.rstrip('/')}/stable/deb/amd64 /"
