"""The service's settings: environment variables, parsed once into one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chat_ui.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """Everything that an operator can change about this service.

    Attributes:
        engine_url: base URL of the engine (TGI's HTTP contract), without a trailing slash; in the appliance
            nginx's internal listener, which balances, limits and counts.
        models_dir: the models volume; `status.json` in it says what model-init is doing.
        secret: shared by all replicas; the page's identity is derived from it (see `page.app_id`).
        port: TCP port on which this replica listens, on all addresses.
        host_name: the name whose DNS A records are the replicas.
        drain_seconds: how long running answers may go on after SIGTERM.
        engine_host_name: the name whose DNS A records are the engine's running containers.
        version: the appliance's, as Compose knows it.
        proof_file: by its content nginx knows that it is the page that asks.
    """

    engine_url: str = "http://nginx:8088"
    models_dir: Path = Path("/models")
    secret: str = ""
    port: int = 7860
    host_name: str = "ui"
    drain_seconds: int = 600
    engine_host_name: str = "tgi"
    version: str = "unknown"
    proof_file: Path = Path("/inside/proof")


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as unset.

    Raises:
        SettingsError: a value is not of its form, with the accepted form and what to do.
    """
    default = Settings()
    return Settings(
        engine_url=_url(environ, "ENGINE_URL", default.engine_url),
        models_dir=Path(environ.get("MODELS_DIR") or default.models_dir),
        secret=environ.get("UI_SECRET", default.secret),
        port=_integer(environ, "UI_PORT", default.port, 1, 65535),
        host_name=environ.get("UI_HOST_NAME") or default.host_name,
        drain_seconds=_integer(environ, "UI_DRAIN_SECONDS", default.drain_seconds, 1, 3600),
        engine_host_name=environ.get("ENGINE_HOST_NAME") or default.engine_host_name,
        version=environ.get("APPLIANCE_VERSION") or default.version,
        proof_file=Path(environ.get("PROOF_FILE") or default.proof_file),
    )


def _url(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name) or default
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise SettingsError(
            f"{name}: expected an http(s) URL such as {default}, found {value!r}, correct or unset it"
        )
    return value.rstrip("/")


def _integer(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise SettingsError(
            f"{name}: expected a whole number from {low} to {high}, found {value!r}, "
            f"correct it or unset it for {default}"
        )
    return int(value)
