"""The operator's settings that this command needs, parsed once from .env and the environment.

As in Compose, a variable of the shell wins over the same key in .env.
"""

import ipaddress
import os
import re
import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance_cli.base.errors import BadSetting
from appliance_cli.config import door as door_settings
from appliance_cli.config import dotenv_file
from appliance_cli.config.door import Owner, Tls
from appliance_cli.config.values import whole

Engine = Literal["gpu", "cpu"]

ENGINES: dict[Engine, str] = {"gpu": "TGI on the GPU", "cpu": "llama.cpp on the CPU"}
COMPOSE_FILES: dict[Engine, str] = {"gpu": "docker-compose.yml", "cpu": "docker-compose.yml:compose.cpu.yml"}
PYTHON_IMAGE = "python:3.13-slim"
NGINX_IMAGE = "nginx:1.30"
MOST_REPLICAS = 100
MOST_CARDS = 16
# What "every address of this host" is written as, and the address on which the host then reaches itself.
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
TGI_IMAGE = "ghcr.io/huggingface/text-generation-inference:3.3.7"


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
    access_dir: Path
    owner: Owner
    tls: Tls
    sso_url: str | None

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the appliance."""
        return ipaddress.ip_address(self.bind_address).is_loopback

    @property
    def url(self) -> str:
        """Where this host itself reaches the appliance; its certificate need not carry that name."""
        return self._url_of(EVERY_ADDRESS.get(self.bind_address, self.bind_address))

    @property
    def public_url(self) -> str:
        """The address to tell people: the certificate's or this host's name where that leads here."""
        names = [name for name in self.tls.names if self.tls.on and not name.startswith("*")]
        if self.loopback or not (names or self.bind_address in EVERY_ADDRESS):
            return self.url
        return self._url_of(names[0] if names else socket.gethostname())

    def command(self, words: str) -> str:
        """What to type to run one of this program's commands on this very appliance."""
        other = (
            "" if self.env_file == self.root / ".env" else f" --env-file {shlex.quote(str(self.env_file))}"
        )
        return f"./scripts/appliance {words}{other}"

    def _url_of(self, host: str) -> str:
        scheme = "https" if self.tls.on else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def logs(self) -> Path:
        """Folder of this command's own logs; git ignores it."""
        return self.root / ".appliance"


def load(root: Path, env_file: Path, chosen: Mapping[str, str] | None = None) -> Appliance:
    """Appliance from ``env_file``, the environment and ``chosen`` (command-line options, which win).

    Raises BadSetting for a value that cannot work.
    """
    values = {**dotenv_file.read(env_file), **os.environ, **(chosen or {})}

    def text(key: str, default: str) -> str:
        return values.get(key, "").strip() or default

    return Appliance(
        root=root,
        env_file=env_file,
        project=_project(text("COMPOSE_PROJECT_NAME", "qwen-appliance")),
        engine=engine_of(values.get("COMPOSE_FILE", "")),
        bind_address=_address(text("BIND_ADDRESS", "127.0.0.1")),
        port=whole(values, "HTTP_PORT", 1, 65535) or 8080,
        replicas=whole(values, "UI_REPLICAS", 1, MOST_REPLICAS) or 3,
        engines=whole(values, "TGI_REPLICAS", 1, MOST_CARDS) or 1,
        gpu_device=text("GPU_DEVICE", "0"),
        python_base=text("PYTHON_BASE", PYTHON_IMAGE),
        nginx_base=text("NGINX_BASE", NGINX_IMAGE),
        tgi_image=text("TGI_IMAGE", TGI_IMAGE),
        debian_mirror=values.get("DEBIAN_MIRROR") or None,
        access_dir=door_settings.access_dir(root, text("ACCESS_DIR", door_settings.ACCESS_DIR)),
        owner=door_settings.owner(text("APPLIANCE_USER", door_settings.OWNER)),
        tls=door_settings.tls(
            root,
            text("TLS", "off"),
            text("TLS_CERT_FILE", ""),
            text("TLS_KEY_FILE", ""),
            text("TLS_NAMES", ""),
        ),
        sso_url=door_settings.sso_url(text("SSO_URL", "")),
    )


def engine_of(compose_file: str) -> Engine | None:
    """Which engine a COMPOSE_FILE value runs; None when it is empty."""
    if not compose_file.strip():
        return None
    return "cpu" if any(Path(part).name == "compose.cpu.yml" for part in compose_file.split(":")) else "gpu"


def _project(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]*", value):
        return value
    raise BadSetting(
        "COMPOSE_PROJECT_NAME cannot be used",
        expected="lower-case letters, digits, - and _, beginning with a letter or digit",
        found=repr(value),
        remedy="set COMPOSE_PROJECT_NAME in .env, or remove the line to get qwen-appliance",
    )


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise BadSetting(
            "BIND_ADDRESS cannot be used",
            expected="an IP address, such as 127.0.0.1",
            found=repr(value),
            remedy="set BIND_ADDRESS in .env, or remove the line to get 127.0.0.1",
        ) from None
