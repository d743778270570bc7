"""The operator's settings that this command needs, parsed once from .env and the environment.

As in Compose, a variable of the shell wins over the same key in .env.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance_cli import dotenv_file
from appliance_cli.errors import BadSetting

Engine = Literal["gpu", "cpu"]

ENGINES: dict[Engine, str] = {"gpu": "TGI on the GPU", "cpu": "llama.cpp on the CPU"}
COMPOSE_FILES: dict[Engine, str] = {"gpu": "docker-compose.yml", "cpu": "docker-compose.yml:compose.cpu.yml"}
PYTHON_IMAGE = "python:3.13-slim"
NGINX_IMAGE = "nginx:1.30"
TGI_IMAGE = "ghcr.io/huggingface/text-generation-inference:3.3.7"


@dataclass(frozen=True)
class Settings:
    """One appliance: where its files are and what its .env says. ``engine`` is None until one was chosen."""

    root: Path
    env_file: Path
    project: str
    engine: Engine | None
    bind_address: str
    port: int
    replicas: int
    gpu_device: str
    python_base: str
    nginx_base: str
    tgi_image: str
    debian_mirror: str | None

    @property
    def url(self) -> str:
        """Where the appliance answers on this host."""
        host = f"[{self.bind_address}]" if ":" in self.bind_address else self.bind_address
        return f"http://{host}:{self.port}"

    @property
    def logs(self) -> Path:
        """Folder of this command's own logs; git ignores it."""
        return self.root / ".appliance"


def load(root: Path, env_file: Path, chosen: Mapping[str, str] | None = None) -> Settings:
    """Settings from ``env_file``, the environment and ``chosen`` (command-line options, which win).

    Raises BadSetting for a value that cannot work.
    """
    values = {**dotenv_file.read(env_file), **os.environ, **(chosen or {})}

    def text(key: str, default: str) -> str:
        return values.get(key, "").strip() or default

    return Settings(
        root=root,
        env_file=env_file,
        project=_project(text("COMPOSE_PROJECT_NAME", "qwen-appliance")),
        engine=engine_of(values.get("COMPOSE_FILE", "")),
        bind_address=_address(text("BIND_ADDRESS", "127.0.0.1")),
        port=_number("HTTP_PORT", text("HTTP_PORT", "8080"), 1, 65535),
        replicas=_number("UI_REPLICAS", text("UI_REPLICAS", "3"), 1, 100),
        gpu_device=text("GPU_DEVICE", "0"),
        python_base=text("PYTHON_BASE", PYTHON_IMAGE),
        nginx_base=text("NGINX_BASE", NGINX_IMAGE),
        tgi_image=text("TGI_IMAGE", TGI_IMAGE),
        debian_mirror=values.get("DEBIAN_MIRROR") or None,
    )


def engine_of(compose_file: str) -> Engine | None:
    """Which engine a COMPOSE_FILE value runs; None when it is empty."""
    if not compose_file.strip():
        return None
    return "cpu" if any(Path(part).name == "compose.cpu.yml" for part in compose_file.split(":")) else "gpu"


def _number(name: str, value: str, low: int, high: int) -> int:
    if value.isascii() and value.isdigit() and low <= int(value) <= high:
        return int(value)
    raise BadSetting(
        f"{name} cannot be used",
        expected=f"a whole number from {low} to {high}",
        found=repr(value),
        remedy=f"set {name} in .env, or remove the line to get the default",
    )


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


def require_loopback(settings: Settings) -> None:
    """Raise BadSetting when other machines could reach the appliance, which has no access control yet."""
    if not ipaddress.ip_address(settings.bind_address).is_loopback:
        raise BadSetting(
            "BIND_ADDRESS cannot be used",
            expected="an address of this machine's loopback, such as 127.0.0.1",
            found=repr(settings.bind_address),
            remedy=(
                "leave it on 127.0.0.1: there is no access control yet, and on another address everybody "
                "could use it. For colleagues, put an authenticating proxy or an SSH tunnel before it."
            ),
        )
