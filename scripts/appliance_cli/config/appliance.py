"""One appliance: what this command needs of its settings, made once of .env and the environment."""

import ipaddress
import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance_cli.config import door as door_settings
from appliance_cli.config import values as given_values
from appliance_cli.config.door import Owner, Tls
from appliance_cli.config.table import SETTINGS

Engine = Literal["gpu", "cpu"]

ENGINES: dict[Engine, str] = {"gpu": "TGI on the GPU", "cpu": "llama.cpp on the CPU"}
COMPOSE_FILES: dict[Engine, str] = {
    "gpu": SETTINGS["COMPOSE_FILE"].default,
    "cpu": SETTINGS["COMPOSE_FILE"].on_cpu,
}
# What "every address of this host" is written as, and the address on which the host then reaches itself.
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Appliance:
    """One appliance: where its files are and what its .env says. ``engine`` is None until one was chosen."""

    root: Path
    env_file: Path
    project: str
    engine: Engine | None
    bind_address: str
    port: int
    replicas: int
    engines: int
    gpu_device: str
    python_base: str
    nginx_base: str
    tgi_image: str
    debian_mirror: str | None
    toolkit_repository: str
    access_dir: Path
    owner: Owner
    tls: Tls
    sso_url: str | None

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the appliance."""
        address = ipaddress.ip_address(self.bind_address)
        # why: before Python 3.13 ::ffff:127.0.0.1 is not taken for the address that it stands for
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback

    @property
    def url(self) -> str:
        """Where this host itself reaches the appliance; its certificate need not carry that name."""
        return self.url_of(EVERY_ADDRESS.get(self.bind_address, self.bind_address))

    @property
    def public_url(self) -> str:
        """The address to tell people: the certificate's or this host's name where that leads here."""
        names = [name for name in self.tls.names if self.tls.on and not name.startswith("*")]
        if self.loopback or not (names or self.bind_address in EVERY_ADDRESS):
            return self.url
        return self.url_of(names[0] if names else socket.gethostname())

    def command(self, words: str) -> str:
        """What to type to run one of this program's commands on this very appliance."""
        other = (
            "" if self.env_file == self.root / ".env" else f" --env-file {shlex.quote(str(self.env_file))}"
        )
        return f"./scripts/appliance {words}{other}"

    def url_of(self, host: str) -> str:
        """The page's address by a name or address of this host."""
        scheme = "https" if self.tls.on else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def logs(self) -> Path:
        """Folder of this command's own logs; git ignores it."""
        return self.root / ".appliance"


def load(root: Path, env_file: Path, chosen: Mapping[str, str] | None = None) -> Appliance:
    """Appliance from ``env_file``, the environment and ``chosen`` (command-line options, which win).

    Raises BadSetting for a value that cannot work, of any setting.
    """
    values = given_values.read(env_file, chosen)
    return Appliance(
        root=root,
        env_file=env_file,
        project=values.text("COMPOSE_PROJECT_NAME"),
        engine=engine_of(values.given("COMPOSE_FILE") or ""),
        bind_address=str(ipaddress.ip_address(values.text("BIND_ADDRESS"))),
        port=values.whole("HTTP_PORT"),
        replicas=values.whole("UI_REPLICAS"),
        engines=values.whole("TGI_REPLICAS"),
        gpu_device=values.text("GPU_DEVICE"),
        python_base=values.text("PYTHON_BASE"),
        nginx_base=values.text("NGINX_BASE"),
        tgi_image=values.text("TGI_IMAGE"),
        debian_mirror=values.given("DEBIAN_MIRROR"),
        toolkit_repository=values.text("TOOLKIT_REPOSITORY"),
        access_dir=door_settings.access_dir(root, values),
        owner=door_settings.owner(values),
        tls=door_settings.tls(root, values),
        sso_url=values.given("SSO_URL"),
    )


def engine_of(compose_file: str) -> Engine | None:
    """Which engine a COMPOSE_FILE value runs; None when it is empty."""
    if not compose_file.strip():
        return None
    return "cpu" if any(Path(part).name == "compose.cpu.yml" for part in compose_file.split(":")) else "gpu"
