"""The settings of the door: where its access directory is, who owns it, TLS, single sign-on.

Parses and judges values; appliance.py collects them. Reads no file.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from appliance_cli.base.errors import BadSetting

TlsMode = Literal["off", "self-signed", "files"]

ACCESS_DIR = "nginx/access"
OWNER = "10001:10001"
_DNS_NAME = re.compile(
    r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
)
# Whatever would end a value in nginx's configuration, or be expanded in it.
_UNSAFE_IN_URL = re.compile(r"[\s\"'`;{}\\$<>]")


@dataclass(frozen=True)
class Owner:
    """Numeric user and group that nginx runs as; root gives it the access directory's files."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Tls:
    """How the door encrypts. The files belong to ``files``, ``names`` (as given; may be empty) to both."""

    mode: TlsMode
    cert_file: Path | None
    key_file: Path | None
    names: tuple[str, ...]

    @property
    def on(self) -> bool:
        return self.mode != "off"


def access_dir(root: Path, value: str) -> Path:
    """The access directory; a relative one is meant from the repository's root, as Compose means it."""
    return root / Path(value).expanduser()


def owner(value: str) -> Owner:
    """``uid:gid`` of APPLIANCE_USER. Raises BadSetting."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", value, re.ASCII)
    if match:
        return Owner(int(match[1]), int(match[2]))
    raise BadSetting(
        "APPLIANCE_USER cannot be used",
        expected="a numeric user and group, such as 1000:1000",
        found=repr(value),
        remedy=f"set APPLIANCE_USER in .env, or remove the line to get {OWNER}",
    )


def tls(root: Path, mode: str, cert_file: str, key_file: str, names: str) -> Tls:
    """The TLS settings. Raises BadSetting for a mode or name that cannot work."""
    if mode not in get_args(TlsMode):
        raise BadSetting(
            "TLS cannot be used",
            expected="off, self-signed or files",
            found=repr(mode),
            remedy="set TLS in .env, or remove the line to get off",
        )
    if mode == "files" and not (cert_file and key_file):
        missing = " and ".join(
            name for name, value in (("TLS_CERT_FILE", cert_file), ("TLS_KEY_FILE", key_file)) if not value
        )
        raise BadSetting(
            "TLS=files needs its files",
            expected="TLS_CERT_FILE (certificate and chain) and TLS_KEY_FILE, both PEM",
            found=f"no {missing}",
            remedy=f"set {missing} in .env, or TLS=self-signed to have a certificate made",
        )
    return Tls(cast(TlsMode, mode), _file(root, cert_file), _file(root, key_file), _names(names))


def sso_url(value: str) -> str | None:
    """SSO_URL as it is, None when empty. Raises BadSetting unless it is an http(s) URL that nginx can ask."""
    if not value:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable and not _UNSAFE_IN_URL.search(value) and "@" not in parts.netloc and not parts.fragment:
        return value
    raise BadSetting(
        "SSO_URL cannot be used",
        expected="an http or https URL without spaces, quotes or a password, "
        "such as http://oauth2-proxy:4180/oauth2/auth",
        found=repr(value),
        remedy="set SSO_URL in .env, or remove the line to do without single sign-on",
    )


def is_dns_name(name: str) -> bool:
    """Whether a certificate can carry this (lower-case) host name."""
    return len(name) <= 253 and _DNS_NAME.fullmatch(name) is not None


def _file(root: Path, value: str) -> Path | None:
    return root / Path(value).expanduser() if value else None


def _names(value: str) -> tuple[str, ...]:
    names = [_name(part.strip()) for part in value.split(",") if part.strip()]
    return tuple(dict.fromkeys(names))


def _name(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:
        name = text.lower() if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        name = ""
    if is_dns_name(name):
        return name
    raise BadSetting(
        "TLS_NAMES cannot be used",
        expected="host names and addresses with commas between, such as chat.example.org,192.168.1.4",
        found=repr(text),
        remedy="set TLS_NAMES in .env, or remove the line to get this host's name and localhost",
    )
