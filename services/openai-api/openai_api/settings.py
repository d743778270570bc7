"""The service's settings: environment variables, parsed once into one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from openai_api.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that an operator can change about this service.

    Attributes:
        engine_url: base URL of the engine (TGI's HTTP contract), without a trailing slash; in the appliance
            nginx's internal listener, which balances over engines.
        engine_host_name: the name whose DNS A records are the engine's running containers.
        model_id: the model's name, as /v1/models says it.
        max_total_tokens: of prompt and answer together; None where it is not known.
        port: TCP port to listen on, on all addresses.
        proof_file: by its content nginx knows who asks.
        version: the appliance's, told by the OpenAPI document.
        drain_seconds: how long running answers may go on after SIGTERM.
        log_as_json: one JSON object a line, or plain text.
    """

    engine_url: str = "http://nginx:8088/engine"
    engine_host_name: str = "tgi"
    model_id: str = "Qwen/Qwen2.5-7B-Instruct"
    max_total_tokens: int | None = None
    port: int = 8000
    proof_file: Path = Path("/inside/proof")
    version: str = ""
    drain_seconds: int = 600
    log_as_json: bool = True


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as unset.

    Raises:
        SettingsError: a value is not of its form, with the accepted form and what to do.
    """
    default = Settings()
    log_format = environ.get("LOG_FORMAT") or "json"
    if log_format not in ("json", "text"):
        raise SettingsError(f"LOG_FORMAT: expected json or text, found {log_format!r}, correct or unset it")
    return Settings(
        engine_url=_url(environ, "ENGINE_URL", default.engine_url),
        engine_host_name=environ.get("ENGINE_HOST_NAME") or default.engine_host_name,
        model_id=environ.get("MODEL_ID") or default.model_id,
        max_total_tokens=_integer(environ, "MAX_TOTAL_TOKENS", None, 2, 1 << 24),
        port=_integer(environ, "LISTEN_PORT", default.port, 1, 65535) or default.port,
        proof_file=Path(environ.get("PROOF_FILE") or default.proof_file),
        version=environ.get("APPLIANCE_VERSION") or default.version,
        drain_seconds=_integer(environ, "DRAIN_SECONDS", default.drain_seconds, 1, 3600)
        or default.drain_seconds,
        log_as_json=log_format == "json",
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


def _integer(environ: Mapping[str, str], name: str, default: int | None, low: int, high: int) -> int | None:
    value = environ.get(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise SettingsError(
            f"{name}: expected a whole number from {low} to {high}, found {value!r}, correct or unset it"
        )
    return int(value)
