"""Which NVIDIA driver each system's own packages give, and the commands that bring it and Docker together."""

from dataclasses import dataclass

CONFIGURE = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
"""Has Docker know the container toolkit."""
GENERATE = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml && sudo systemctl restart docker"
"""Writes the list of devices by which Docker hands over cards where it does so by CDI."""

# NVIDIA's own repository, after its keyring was added as the driver guide says.
_NVIDIAS = (
    "add NVIDIA's repository (package cuda-keyring: see its driver guide), then "
    "sudo apt-get update && sudo apt-get install -y nvidia-open && sudo reboot"
)
_UBUNTUS = "sudo apt-get update && sudo apt-get install -y nvidia-driver-570-server-open && sudo reboot"


@dataclass(frozen=True)
class Way:
    """One release of a system: what it has by itself, and how to have 570 or newer."""

    system: str
    codename: str
    has: str
    commands: str


DRIVERS = (
    Way("debian", "bookworm", "Debian 12's own package is 535, too old", _NVIDIAS),
    Way("debian", "trixie", "Debian 13's own package is 550, just enough", _NVIDIAS),
    Way("ubuntu", "jammy", "Ubuntu 22.04 has 570 itself", _UBUNTUS),
    Way("ubuntu", "noble", "Ubuntu 24.04 has 570 itself", _UBUNTUS),
)
